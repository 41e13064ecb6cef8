// The dialog that shows, once, where and with which key to publish a stream. The key leaves the page when it closes.

import { h } from "./words.js";

export class PublishDialog {
  constructor(page) {
    Object.assign(this, page);
    for (const field of this.#fields()) field.after(this.#copyButton(field));
    this.done.addEventListener("click", () => { this.#forget(); this.dialog.close(); });
    // Escape by mistake would lose the key. A browser that closes all the same says so a moment after.
    this.dialog.addEventListener("cancel", (event) => event.preventDefault());
    this.dialog.addEventListener("close", () => this.#forget());
  }

  show(name, { server, stream_key: key, url }) {
    this.title.textContent = `Publish to ${name}`;
    this.server.value = server;
    this.key.value = key;
    this.command.value = `ffmpeg -re -i FILE -c:v libx264 -g 50 -c:a aac -f flv "${url}"`;
    this.dialog.showModal();
  }

  #fields() {
    return [this.server, this.key, this.command];
  }

  #copyButton(field) {
    const name = `Copy ${field.labels[0].textContent}`;
    return h("button", { type: "button", class: "quiet", "aria-label": name, onclick: () => this.#copy(field) }, "Copy");
  }

  #forget() {
    for (const field of this.#fields()) field.value = "";
    this.status.textContent = "";
  }

  async #copy(field) {
    const isCopied = await copied(field);
    this.status.textContent = isCopied ? `${field.labels[0].textContent} copied` : "Selected: copy it with Ctrl+C or ⌘C";
  }
}

// The clipboard exists on secure origins only. Elsewhere the text is selected, and the browser's older command may copy it.
async function copied(field) {
  if (navigator.clipboard) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
  }
  field.focus();
  field.select();
  return document.execCommand("copy");
}
