// The sheet in memory: columns whose repeating values are kept once, rows in order, which of them are shown, what changes.

const words = new Intl.Collator(undefined, { numeric: true });

/** How an entry looks: null, a value that looks as it is, or [value, look]. */
export const textOf = (entry) => {
  if (entry === null || entry === false) return '';
  if (entry === true) return '✓';
  return Array.isArray(entry) ? entry[1] : String(entry);
};

export const valueOf = (entry) => (Array.isArray(entry) ? entry[0] : entry);

/** The entry of a value that looks like this. */
export const entryOf = ({ value, display }) =>
  value === null || typeof value === 'boolean' || String(value) === display ? value : [value, display];

/** The number that words say: “$20,000”, “20k”, “50%”; null where they say none. */
function numberIn(words) {
  const bare = words.replace(/[$€£¥\s]/g, '').replace(/^-?\d{1,3}(,\d{3})+(?=$|[.km%])/, (whole) => whole.replaceAll(',', ''));
  const [, digits, unit] = /^(-?\d*\.?\d+)([km%]?)$/.exec(bare) ?? [];
  return digits === undefined ? null : digits * ({ k: 1e3, m: 1e6, '%': 0.01 }[unit] ?? 1);
}

const BOXES = { yes: true, true: true, '✓': true, checked: true, no: false, false: false, unchecked: false };

/** What a filter says: contains, or with =, !=, !, <, > in front; `10k-50k`, `lead, won`, `empty`, `not empty`. */
function condition(text) {
  const asked = text.trim().toLowerCase();
  const [, sign, rest] = /^(>=|<=|<>|!=|[=!<>])?\s*(.*)$/s.exec(asked);
  const [wanted, percent] = [numberIn(rest), rest.endsWith('%')];
  // Where figures are shown as percents, 50 is one of percents.
  const apart = (shown, value, from) => value - (shown.endsWith('%') && !percent ? from / 100 : from);
  const number = (value) => typeof value === 'number';
  const same = (shown, value) => shown === rest || (wanted !== null && number(value) && Math.abs(apart(shown, value, wanted)) < 1e-9);
  // Texts among numbers are neither more nor less than a number.
  const order = (shown, value) => (wanted === null ? words.compare(shown, rest) : number(value) ? apart(shown, value, wanted) : NaN);
  const [, low, high] = /^(.*?[\dkm%])\s*(?:-|–|\.\.|to)\s*(\S*\d\S*)$/.exec(asked) ?? [];
  const [from, to] = [low, high].map((end) => (end === undefined ? null : numberIn(end)));
  const between = (shown, value) => from !== null && to !== null && number(value)
    && apart(shown, value, from) >= 0 && apart(shown, value, to) <= 0;
  const several = rest.split(',').map((one) => one.trim()).filter(Boolean);
  const holds = (shown) => shown.includes(rest) || (wanted === null && several.length > 1 && several.some((one) => shown.includes(one)));
  const fits = {
    '=': same,
    '!=': (shown, value) => !same(shown, value),
    '<>': (shown, value) => !same(shown, value),
    '!': (shown) => !shown.includes(rest) || (rest === '' && shown !== ''),
    '<': (shown, value) => shown !== '' && order(shown, value) < 0,
    '>': (shown, value) => shown !== '' && order(shown, value) > 0,
    '<=': (shown, value) => shown !== '' && order(shown, value) <= 0,
    '>=': (shown, value) => shown !== '' && order(shown, value) >= 0,
  }[sign] ?? ((shown, value) => holds(shown) || same(shown, value) || between(shown, value));
  const special = { empty: (shown) => shown === '', 'not empty': (shown) => shown !== '' }[asked];
  return (entry) => {
    const [shown, value] = [textOf(entry).toLowerCase(), valueOf(entry)];
    if (typeof value === 'boolean' && rest in BOXES) return (value === BOXES[rest]) === !['!', '!=', '<>'].includes(sign);
    return (special?.(shown) ?? false) || fits(shown, value);
  };
}

/** Whether a row's cell passes; values that repeat are tested once. */
function cellTest(column, fits) {
  if (!column.rows) return (row) => fits(column.values[row]);
  const known = Uint8Array.from(column.values, (entry) => fits(entry));
  return (row) => known[column.rows[row]];
}

export class Sheet {
  constructor(data) {
    Object.assign(this, { version: data.version, people: data.people, ids: data.ids, parents: Int32Array.from(data.parents) });
    this.columns = data.columns.map((column) => ({ ...column, rows: column.rows && Uint32Array.from(column.rows) }));
    this.columnOf = new Map(this.columns.map((column) => [column.id, column]));
    this.links = new Map(data.links.map(([row, column, url]) => [`${data.ids[row]}:${this.columns[column].id}`, url]));
    Object.assign(this, { collapsed: new Set(), query: '', filters: new Map(), sort: null, only: null });
    this.index();
    this.arrange();
  }

  index() {
    const count = this.ids.length;
    this.rowOf = new Map(this.ids.map((id, row) => [id, row]));
    this.levels = new Uint8Array(count);
    this.ends = Uint32Array.from({ length: count }, (_, row) => row + 1);
    for (let row = 0; row < count; row++) if (this.parents[row] >= 0) this.levels[row] = this.levels[this.parents[row]] + 1;
    for (let row = count - 1; row >= 0; row--) {
      const parent = this.parents[row];
      if (parent >= 0) this.ends[parent] = Math.max(this.ends[parent], this.ends[row]);
    }
  }

  entry(column, row) {
    return column.values[column.rows ? column.rows[row] : row];
  }

  isParent(row) {
    return this.ends[row] > row + 1;
  }

  /** Where a cell leads, if anywhere. */
  link(column, row, text) {
    const url = (this.links.size && this.links.get(`${this.ids[row]}:${column.id}`)) || text;
    return url.startsWith('https://') || url.startsWith('http://') ? url : null;
  }

  /** Which rows are shown, in which order; rows above a match stay as its context. */
  arrange() {
    const tests = [...this.filters].map(([column, text]) => cellTest(column, condition(text)));
    const query = this.query.trim().toLowerCase();
    if (query) {
      const shown = this.columns.filter((column) => !column.hidden);
      const cells = shown.map((column) => cellTest(column, (entry) => textOf(entry).toLowerCase().includes(query)));
      tests.push((row) => cells.some((test) => test(row)));
    }
    if (this.only) tests.push((row) => this.only.has(this.ids[row]));
    const count = this.ids.length;
    this.kept = tests.length ? new Uint8Array(count) : null;
    this.matches = tests.length ? 0 : count;
    for (let row = 0; this.kept && row < count; row++) {
      if (!tests.every((test) => test(row))) continue;
      this.matches++;
      for (let up = row; up >= 0 && !this.kept[up]; up = this.parents[up]) this.kept[up] = 1;
    }
    this.visible = this.sort ? this.sorted() : this.natural();
  }

  open(row) {
    return this.kept || !this.collapsed.has(this.ids[row]);
  }

  natural() {
    const visible = [];
    for (let row = 0; row < this.ids.length;) {
      const shown = !this.kept || this.kept[row];
      if (shown) visible.push(row);
      row = shown && this.open(row) ? row + 1 : this.ends[row];
    }
    return visible;
  }

  /** Sorted among siblings; what is empty comes last. */
  sorted() {
    const { column, down } = this.sort;
    const order = column.values.map((entry, i) => [entry, i]).sort(([a], [b]) => this.compare(a, b) * (down ? -1 : 1));
    const ranks = new Uint32Array(order.length);
    order.forEach(([entry, i], rank) => (ranks[i] = textOf(entry) === '' ? order.length : rank));
    const rank = (row) => ranks[column.rows ? column.rows[row] : row];
    const below = new Map();
    this.parents.forEach((parent, row) => (below.has(parent) ? below.get(parent).push(row) : below.set(parent, [row])));
    const visible = [];
    const walk = (parent) => {
      for (const row of (below.get(parent) ?? []).sort((a, b) => rank(a) - rank(b) || a - b)) {
        if (this.kept && !this.kept[row]) continue;
        visible.push(row);
        if (this.open(row)) walk(row);
      }
    };
    walk(-1);
    return visible;
  }

  compare(a, b) {
    const [x, y] = [valueOf(a), valueOf(b)];
    return typeof x === 'number' && typeof y === 'number' ? x - y : words.compare(textOf(a), textOf(b));
  }

  /** Opens what is above a row; where it is shown then, -1 when a filter hides it. */
  reveal(row) {
    for (let up = this.parents[row]; up >= 0; up = this.parents[up]) this.collapsed.delete(this.ids[up]);
    this.arrange();
    return this.visible.indexOf(row);
  }

  /** Sets a cell; whether that changed anything. */
  set(column, row, entry) {
    const before = this.entry(column, row);
    if (before === entry || (Array.isArray(before) && JSON.stringify(before) === JSON.stringify(entry))) return false;
    this.links.delete(`${this.ids[row]}:${column.id}`);
    if (column.rows) column.rows[row] = this.placeOf(column, entry);
    else column.values[row] = entry;
    return true;
  }

  placeOf(column, entry) {
    const key = JSON.stringify(entry);
    column.known ??= new Map(column.values.map((known, i) => [JSON.stringify(known), i]));
    if (!column.known.has(key)) column.known.set(key, column.values.push(entry) - 1);
    return column.known.get(key);
  }

  /** Takes over what has changed elsewhere; the cells that look different now, as [row id, column]. */
  apply(update) {
    if (update.added.length || update.removed.length) this.splice(update.added, new Set(update.removed));
    const changed = [];
    for (const { id, cells } of [...update.changed, ...update.added]) {
      for (const [of, cell] of Object.entries(cells)) {
        const column = this.columnOf.get(of);
        if (column && this.set(column, this.rowOf.get(id), entryOf(cell))) changed.push([id, column]);
      }
    }
    this.version = update.version;
    return changed;
  }

  splice(added, removed) {
    const next = [];
    const follow = (id) => added.filter((row) => row.afterId === id).forEach((row) => next.push(row) && follow(row.id));
    follow(null);
    this.ids.forEach((id, row) => {
      if (!removed.has(id)) next.push(row);
      follow(id);
    });
    const old = (row) => typeof row === 'number';
    const parents = next.map((row) => (old(row) ? this.ids[this.parents[row]] : row.parentId));
    for (const column of this.columns) {
      const [before, empty] = column.rows ? [column.rows, this.placeOf(column, null)] : [column.values, null];
      const after = next.map((row) => (old(row) ? before[row] : empty));
      if (column.rows) column.rows = Uint32Array.from(after);
      else column.values = after;
    }
    this.ids = next.map((row) => (old(row) ? this.ids[row] : row.id));
    const places = new Map(this.ids.map((id, row) => [id, row]));
    this.parents = Int32Array.from(parents, (id) => places.get(id) ?? -1);
    this.index();
  }
}
