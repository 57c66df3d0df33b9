// The live connection: what happens is told at once; how fresh the page is, is told truthfully.

const LOOK = 20_000;
const LATE = 10_000;

/** `on` has hello(), event(value), state(state); subscribes to what `topics` names at that time. */
export class Live {
  constructor(send, topics, on) {
    Object.assign(this, { send, topics, on, tries: 0 });
    addEventListener('offline', () => this.socket?.close?.());
    addEventListener('online', () => this.connect());
    this.connect();
  }

  async connect() {
    clearTimeout(this.again);
    if (this.socket?.readyState <= WebSocket.OPEN) return;
    this.socket = { readyState: WebSocket.CONNECTING };
    const answer = await this.send('ticket', {});
    if (answer.status === 410) return this.on.state('ended');
    if (!answer.ok) return this.later();
    const url = new URL(`../ws?ticket=${answer.body.ticket}`, location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = (this.socket = new WebSocket(url, 'chatsheet.json'));
    socket.onopen = () => this.topics().forEach((topic) => this.subscribe(topic));
    socket.onmessage = (message) => socket === this.socket && this.heard(JSON.parse(message.data));
    socket.onclose = () => socket === this.socket && this.later();
  }

  subscribe(topic) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: 'subscribe', ...topic }));
  }

  heard(value) {
    clearTimeout(this.silence);
    clearTimeout(this.look);
    this.look = setTimeout(() => {
      this.subscribe(this.topics()[0]);
      this.silence = setTimeout(() => this.socket?.close?.(), LATE);
    }, LOOK);
    if (value.type === 'subscribed' && value.topic.startsWith('sheet:')) {
      this.tries = 0;
      this.on.state(value.webhook ? 'live' : 'polled');
    }
    this.on.event(value);
  }

  /** Tries again, later each time. */
  later() {
    clearTimeout(this.look);
    clearTimeout(this.silence);
    this.socket = null;
    this.tries += 1;
    this.on.state(this.tries > 2 || !navigator.onLine ? 'stale' : 'reconnecting');
    this.again = setTimeout(() => this.connect(), Math.min(30_000, 500 * 2 ** this.tries) * (0.75 + Math.random() / 2));
  }
}
