// What is going on in the thread: proposals and jobs as the server writes them, and the conversation.

import { by, made, say, send } from './dom.js';

const PAUSE = 150;

/** Words of a message, as the server has read their markup. */
function span({ text, bold, code, link }) {
  if (link && /^https?:/.test(link)) return made('a', { href: link, target: '_blank', rel: 'noopener noreferrer', textContent: text });
  return code || bold ? made(code ? 'code' : 'strong', { textContent: text }) : text;
}
const point = ({ kind, number, depth }) => (kind === 'item' ? `${'   '.repeat(depth ?? 0)}${number ? `${number}.` : '•'} ` : '');
const words = (node) => [point(node), ...(node.spans?.map(span) ?? [node.text])];
const paragraph = (node) => made(node.kind === 'code' ? 'pre' : 'p', { className: node.kind }, ...words(node));
const cells = (name, shown) => made('tr', {}, ...shown.map((cell) => made(name, {}, span(cell))));
const BLOCKS = {
  text: ({ nodes }) => nodes.map(paragraph),
  note: ({ nodes }) => [made('div', { className: 'note' }, ...nodes.map(paragraph))],
  progress: ({ label, done, total }) => [made('label', {}, `${label} `, made('progress', { value: done, max: total || 1 }))],
  image: ({ url, alt }) => [made('p', {}, span({ text: alt || 'picture', link: url }))],
  file: ({ name }) => [made('p', { textContent: `📎 ${name}` })],
  buttons: ({ buttons }) => [made('form', { method: 'post', action: `${document.body.dataset.base}/press` }, ...buttons
    .filter(({ action }) => VERBS.test(action))
    .map(({ label, action, style }) => made('button', { name: 'action', value: action, className: style, textContent: label })))],
  table: ({ columns, rows, total }) => [
    made('div', { className: 'scroll', tabIndex: 0 }, made('table', {},
      made('thead', {}, cells('th', columns.map(({ title }) => ({ text: title })))),
      made('tbody', {}, ...rows.map((row) => cells('td', row))))),
    ...(total > rows.length ? [made('p', { textContent: `${rows.length} of ${total} rows.` })] : []),
  ],
};

/** What a button in a message may do from here. */
const VERBS = /^(confirm|count|cancel|undo|jobcancel|jobundo|jobretry|jobstatus):/;

export class Talk {
  /** `shown` is told when what is going on was read anew. */
  constructor(shown) {
    Object.assign(this, { shown, base: document.body.dataset.base });
    by('work').addEventListener('submit', (event) => this.press(event));
    this.panel = by('talk');
    if (!this.panel) return;
    [this.said, this.form] = this.panel.children;
    this.said.addEventListener('submit', (event) => this.press(event));
    by('chat').onclick = () => this.turn();
    this.form.onsubmit = (event) => this.tell(event);
    this.form.text.onkeydown = (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.form.requestSubmit();
    };
  }

  /** Topics of the jobs that are shown. */
  jobs() {
    return [...by('work').querySelectorAll('[data-job]')].map((job) => ({ topic: `job:${job.dataset.job}` }));
  }

  /** Reads anew what is going on; the newest answer counts, and what somebody points at stays when nothing has changed. */
  refresh() {
    clearTimeout(this.going);
    this.going = setTimeout(async () => {
      const turn = (this.reading = (this.reading ?? 0) + 1);
      const answer = await fetch(`${this.base}/work`).catch(() => null);
      const text = answer?.ok ? await answer.text() : null;
      if (text === null || turn !== this.reading || text === this.text) return;
      this.text = text;
      const [focused, scrolled] = [document.activeElement.closest('#work button')?.value, by('work').scrollTop];
      by('work').innerHTML = text;
      by('work').scrollTop = scrolled;
      if (focused) by('work').querySelector(`button[value="${CSS.escape(focused)}"]`)?.focus();
      this.shown();
    }, PAUSE);
  }

  /** Moves the bar of a job; whether what is going on has to be read anew. */
  moved({ jobId, status, progress, answered = 0, total }) {
    const bar = by('work').querySelector(`[data-job="${CSS.escape(jobId)}"] progress`);
    if (bar) Object.assign(bar, { max: total || 1, value: progress + answered });
    return !bar || !['queued', 'processing'].includes(status);
  }

  async press(event) {
    event.preventDefault();
    event.submitter.disabled = true;
    const body = new URLSearchParams({ action: event.submitter.value });
    const answer = await fetch(event.target.getAttribute('action'), { method: 'POST', body, redirect: 'manual' }).catch(() => null);
    if (answer?.type !== 'opaqueredirect') {
      const problem = await answer?.json().catch(() => null);
      say(problem?.detail ?? 'That did not work. Please try again.');
      event.submitter.disabled = false;
    }
    this.text = null;
    this.refresh();
  }

  turn() {
    this.panel.hidden = !this.panel.hidden;
    by('chat').setAttribute('aria-expanded', String(!this.panel.hidden));
    this.said.scrollTop = this.said.scrollHeight;
    if (!this.panel.hidden) this.form.text.focus();
  }

  async tell(event) {
    event.preventDefault();
    const text = this.form.text.value.trim();
    if (!text) return;
    this.form.reset();
    const answer = await send('say', { text });
    if (answer.ok) return;
    this.form.text.value ||= text;
    say(`Not sent: ${answer.body.detail}`);
  }

  /** A message of the bot, growing or done, or of somebody in the thread. */
  show({ id, author, blocks, partial }) {
    let message = [...this.said.children].find((known) => known.dataset.post === id);
    if (!message) {
      message = made('div', { className: `message ${author === undefined ? 'answer' : 'question'}` });
      message.dataset.post = id;
      this.said.append(message);
    }
    const who = made('b', { textContent: author === undefined ? 'ChatSheet' : (author ?? 'Question') });
    message.replaceChildren(who, ...blocks.flatMap((block) => BLOCKS[block.type]?.(block) ?? []));
    this.said.scrollTop = this.said.scrollHeight;
    return !partial;
  }

  /** Reads the conversation anew, because some of it may have been missed. */
  async recall() {
    const answer = await fetch(`${this.base}/said`).catch(() => null);
    if (!answer?.ok) return;
    const messages = await answer.json();
    this.said.replaceChildren();
    messages.forEach((message) => this.show(message));
  }
}
