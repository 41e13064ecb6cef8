// One question in a dialog: resolves to true for yes, to false for no and for Escape.

export class Question {
  constructor(page) {
    Object.assign(this, page);
    this.dialog.addEventListener("close", () => this.answer?.(this.dialog.returnValue === "yes"));
  }

  ask({ title, text, yes, no }) {
    this.title.textContent = title;
    this.text.textContent = text;
    this.yes.textContent = yes;
    this.no.textContent = no;
    this.dialog.returnValue = "no";
    this.dialog.showModal();
    return new Promise((resolve) => { this.answer = resolve; });
  }
}
