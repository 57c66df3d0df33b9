// The list under a cell that somebody types in: options or people that fit; nothing of it is taken that was not asked for.

import { attribute, made } from './dom.js';

/** Those that begin with these words, then those that hold them. */
export function fitting(options, words) {
  const wanted = words.trim().toLowerCase();
  const begins = options.filter((option) => option.toLowerCase().startsWith(wanted));
  return [...begins, ...options.filter((option) => !begins.includes(option) && option.toLowerCase().includes(wanted))];
}

export class Offers {
  /** Offers options for a field; `many` when several may stand in it, behind commas. `chosen` is told when one was pressed. */
  constructor(field, cell, options, many, chosen) {
    Object.assign(this, { field, cell, options, many, at: -1 });
    this.list = made('ul', { id: 'offers', role: 'listbox', popover: 'manual', ariaLabel: field.getAttribute('aria-label') });
    this.list.onpointerdown = (event) => {
      // The field keeps the focus, whatever is pressed in the list.
      event.preventDefault();
      const option = event.target.closest('[role=option]');
      if (!option) return;
      this.take(option.textContent);
      chosen();
    };
    document.querySelector('main').append(this.list);
    attribute(field, 'role', 'combobox');
    attribute(field, 'aria-autocomplete', 'list');
    attribute(field, 'aria-controls', 'offers');
    field.addEventListener('input', () => this.show(this.words()));
  }

  /** What is typed, or what stands behind the last comma. */
  words() {
    const { value } = this.field;
    return this.many ? value.slice(value.lastIndexOf(',') + 1) : value;
  }

  show(words) {
    this.shown = fitting(this.options, words);
    const wanted = words.trim().toLowerCase();
    const same = this.shown.findIndex((option) => option.toLowerCase() === wanted);
    const [first, second] = this.shown;
    const only = first?.toLowerCase().startsWith(wanted) && !second?.toLowerCase().startsWith(wanted) ? 0 : -1;
    // Where several may stand, an option may hold a comma itself: what is typed there stays as it is, unless one is chosen.
    this.point(wanted === '' || this.many ? -1 : same >= 0 ? same : only);
  }

  /** Marks an option, which Enter takes; -1 for none. */
  point(at) {
    this.at = at;
    const { list, field, cell, shown } = this;
    list.replaceChildren(...shown.map((textContent, i) => {
      const option = made('li', { id: `offer-${i}`, role: 'option', textContent });
      attribute(option, 'aria-selected', String(i === at));
      return option;
    }));
    const open = shown.length > 0;
    attribute(field, 'aria-expanded', String(open));
    attribute(field, 'aria-activedescendant', at < 0 ? null : `offer-${at}`);
    if (!open) return list.hidePopover();
    list.showPopover();
    const { left, top, bottom, width } = cell.getBoundingClientRect();
    const above = bottom + list.offsetHeight > innerHeight && top > list.offsetHeight;
    Object.assign(list.style, { left: `${Math.min(left, innerWidth - list.offsetWidth)}px`, minWidth: `${width}px` });
    list.style.top = `${above ? top - list.offsetHeight : bottom}px`;
    list.children[at]?.scrollIntoView({ block: 'nearest' });
  }

  /** Up and down in the list; whether the key was for it. */
  key({ key, altKey }) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (!step || altKey || !this.shown?.length) return false;
    const count = this.shown.length;
    this.point(this.at < 0 ? (step > 0 ? 0 : count - 1) : (this.at + step + count) % count);
    return true;
  }

  /** Puts the marked option into the field. */
  settle() {
    if (this.at >= 0) this.take(this.shown[this.at]);
  }

  take(option) {
    const { field, many } = this;
    const before = many ? field.value.slice(0, field.value.lastIndexOf(',') + 1) : '';
    field.value = before ? `${before} ${option}` : option;
  }

  close() {
    this.list.remove();
  }
}
