// How an option or a person stands in a cell: a tint of its own, and a sign before it. The server writes the same (cells.rs).

const TINTS = 8;

function hash(text) {
  let sum = 0;
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 31) + text.charCodeAt(i)) >>> 0;
  return sum;
}

/** The first letters of the first and the last word of a name. */
function initials(name) {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ''].map((word) => [...(word ?? '')][0] ?? '');
  return letters.join('').toUpperCase();
}

/** Lets an element be the chip of a value in a column. */
export function dress(chip, column, text) {
  const at = column.options?.indexOf(text) ?? -1;
  const person = column.kind === 'person';
  const [sign = '', colour = 'plain'] = person ? [initials(text)] : (column.signs?.[at] ?? []);
  const look = `chip tint-${(at < 0 ? hash(text) : at) % TINTS}${sign && !person ? ` is-${colour}` : ''}`;
  if (chip.className !== look) chip.className = look;
  if (chip.dataset.sign !== sign) chip.dataset.sign = sign;
  if (chip.textContent !== text) chip.textContent = text;
  return chip;
}
