// Small helpers of the page: elements, requests, what is told at the bottom.

export const by = (id) => document.getElementById(id);

export function made(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

/** An element of the grid. */
export const element = (name, className, role) => {
  const made = document.createElement(name);
  made.className = className;
  if (role) made.setAttribute('role', role);
  return made;
};

/** Sets an attribute when it is another one; null takes it away. */
export const attribute = (target, name, value) => {
  if (target.getAttribute(name) !== value) value === null ? target.removeAttribute(name) : target.setAttribute(name, value);
};

/** Turns a button that stays pressed; whether it is pressed now. */
export function pressed(button) {
  const now = button.getAttribute('aria-pressed') !== 'true';
  button.setAttribute('aria-pressed', String(now));
  return now;
}

/** Asks the server for something in the name of the link; never throws. */
export async function send(path, body) {
  const headers = { 'Content-Type': 'application/json', 'Time-Zone': Intl.DateTimeFormat().resolvedOptions().timeZone ?? '' };
  try {
    const answer = await fetch(`${document.body.dataset.base}/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
    return { ok: answer.ok, status: answer.status, body: await answer.json() };
  } catch {
    return { ok: false, status: 0, body: { detail: 'the server cannot be reached.' } };
  }
}

/** Tells something at the bottom, in the place of what was told before; what has two actions stays until one is chosen. */
export function say(text, actions = []) {
  const button = ([textContent, act]) => made('button', { textContent, onclick: () => note.remove() ?? act() });
  const note = made('div', { className: actions.length < 2 ? 'passing' : '' }, text, ...actions.map(button));
  by('toast').querySelector('.passing')?.remove();
  by('toast').append(note);
  if (actions.length < 2) setTimeout(() => note.remove(), 8_000);
}
