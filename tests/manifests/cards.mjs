// Cards that the bot sends to Teams, read by Microsoft's own reader of Adaptive Cards 1.5: whatever it would not show is an error.

import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

globalThis.window = globalThis.self = globalThis; // It is made for browsers.
const { AdaptiveCard, HostConfig, SerializationContext, Versions } = createRequire(import.meta.url)('adaptivecards/dist/adaptivecards.js');

const [written] = process.argv.slice(2);
const snapshots = join(import.meta.dirname, '../it/snapshots');

/** All cards anywhere in a value. */
function* cardsIn(value) {
  if (value?.type === 'AdaptiveCard') yield value;
  else if (value && typeof value === 'object') for (const part of Object.values(value)) yield* cardsIn(part);
}

function* all() {
  for (const file of readdirSync(snapshots).filter((name) => name.startsWith('it__platforms__teams'))) {
    const wire = readFileSync(join(snapshots, file), 'utf8').split('\n---\n')[1].replaceAll('https://‹sheet›', 'https://sheets.test/');
    yield* cardsIn(JSON.parse(wire));
  }
  for (const line of readFileSync(written, 'utf8').split('\n').filter(Boolean)) yield JSON.parse(line);
}

/** What the reader finds wrong with a card. */
function faults(card) {
  const [reader, context] = [new AdaptiveCard(), new SerializationContext(Versions.v1_5)];
  reader.hostConfig = new HostConfig({ actions: { maxActions: 6 } }); // As Teams has it.
  reader.parse(card, context);
  const read = Array.from({ length: context.eventCount }, (_, i) => context.getEventAt(i).message);
  return [...read, ...reader.validateProperties().validationEvents.map((event) => event.message)];
}

const wrong = { type: 'AdaptiveCard', version: '1.5', body: [{ type: 'TextBlock', text: 'x', size: 'Huge' }, { type: 'Tabel' }] };
if (faults(wrong).length !== 2) throw new Error(`the reader found ${JSON.stringify(faults(wrong))} in a card with two faults`);
let cards = 0;
for (const card of all()) {
  const found = faults(card);
  if (found.length) throw new Error(`${found.join('; ')}\n${JSON.stringify(card).slice(0, 2_000)}`);
  cards += 1;
}
if (cards < 20) throw new Error(`only ${cards} cards were there to be read`);
console.log(`${cards} cards are read without a fault`);
