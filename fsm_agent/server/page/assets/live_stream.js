// Server-sent events, for as long as somebody looks. Browsers open six connections to one server: a tab that nobody sees
// gives its own back.
export class LiveStream {
  #source = null;
  #away = 0;
  #again = 0;

  // `address` makes the address of each connection; null if there is nothing to hear. `hear` has what is done at each
  // event. `tell` is called with true when the server is there, and with false when it is not; `retry` before it is
  // looked for anew, which is not done if that returns false.
  constructor(address, hear, { tell, retry }) {
    Object.assign(this, { address, hear, tell, retry });
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.close(); else this.open(); });
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", () => this.open());
  }

  open() {
    if (this.#source || document.hidden) return;
    const address = this.address();
    if (!address) return;
    const source = this.#source = new EventSource(address);
    source.addEventListener("open", () => { this.#away = 0; this.tell(true); });
    for (const [name, act] of Object.entries(this.hear)) source.addEventListener(name, act);
    source.addEventListener("error", () => { if (source === this.#source) this.#lost(source); });
  }

  close() {
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = null;
  }

  // A browser tries again by itself, unless it was told something else than to wait, as by a proxy.
  #lost(source) {
    this.#away ||= Date.now();
    const isClosed = source.readyState === EventSource.CLOSED;
    if (isClosed || Date.now() - this.#away > 2000) this.tell(false);
    if (!isClosed) return;
    this.close();
    this.#again = setTimeout(() => this.#look(), Math.min(30000, 1000 + Date.now() - this.#away));
  }

  async #look() {
    if (await this.retry() !== false) this.open();
  }
}
