// A WebSocket that comes back by itself: exponential backoff with full jitter, and says at all times how it is.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10_000;
const STEADY_AFTER_MS = 5_000;
const STREAM_GONE = 4404;

export class LiveSocket {
  // address() is asked anew for each attempt, so that a resume point can go with it.
  constructor(address, { onMessage, onState }) {
    this.address = address;
    this.onMessage = onMessage;
    this.onState = onState;
    this.attempts = 0;
    this.timer = null;
    this.socket = null;
    this.ended = false;
    this.retryNow = () => this.#wake();
    window.addEventListener("online", this.retryNow);
    this.#open();
  }

  close() {
    this.ended = true;
    clearTimeout(this.timer);
    clearTimeout(this.steady);
    window.removeEventListener("online", this.retryNow);
    const { socket } = this;
    if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close(1000);
    else socket?.close(1000);
  }

  #open() {
    this.onState({ state: "connecting", attempts: this.attempts });
    const socket = new WebSocket(this.address());
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    socket.onopen = () => {
      this.onState({ state: "open" });
      this.steady = setTimeout(() => { this.attempts = 0; }, STEADY_AFTER_MS);
    };
    socket.onmessage = (event) => { if (!this.ended) this.onMessage(event.data); };
    socket.onclose = (event) => this.#closed(event);
  }

  #closed(event) {
    clearTimeout(this.steady);
    if (this.ended) return;
    if (event.code === STREAM_GONE) {
      this.onState({ state: "gone" });
      return;
    }
    const most = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.attempts);
    const waitMs = FIRST_WAIT_MS / 2 + Math.random() * most;
    this.attempts += 1;
    this.onState({ state: "lost", code: event.code, reason: event.reason, retryInMs: waitMs, attempts: this.attempts });
    this.timer = setTimeout(() => this.#open(), waitMs);
  }

  #wake() {
    if (this.ended || this.socket?.readyState !== WebSocket.CLOSED) return;
    clearTimeout(this.timer);
    this.#open();
  }
}
