// The page: reads the sheet and puts its parts together.

import { by, say, send } from './dom.js';
import { Editor } from './edit.js';
import { Fresh } from './fresh.js';
import { Grid } from './grid.js';
import { Live } from './live.js';
import { Rows } from './rows.js';
import { Sheet } from './sheet.js';
import { Talk } from './talk.js';
import { Tools } from './tools.js';

const { base, sheet: sheetId, session, ...rights } = document.body.dataset;
const canEdit = 'edit' in rights;

async function read() {
  const answer = await fetch(`${base}/data`, { credentials: 'include' });
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return new Sheet(body);
}

function start(sheet) {
  const grid = new Grid(by('grid'), sheet, {
    edit: canEdit && ((cell, column, row, typed) => editor.open(cell, column, row, typed)),
    type: canEdit && ((column, row, text) => editor.type(column, row, text)),
    back: canEdit && (() => editor.back()),
    several: () => say('Several cells at once are not taken from the clipboard. Ask for it in the chat, which shows it before it is made.'),
    refuse: ({ title, readOnly }) => say(`${title} cannot be changed here: ${readOnly}.`),
    details: (row) => rows.details(row),
    widen: (column, width) => tools.widen(column, width),
    sorted: () => tools.remember(),
  });
  const editor = new Editor(grid, send, say);
  const tools = new Tools(sheet, grid);
  const rows = new Rows(grid, tools, editor, canEdit);
  const talk = new Talk(() => talk.jobs().forEach((topic) => live.subscribe(topic)));
  // What somebody is typing is theirs: the sheet is read anew behind that.
  const later = () => grid.editing && (grid.later = () => fresh.reload());
  const reload = async () => {
    if (later()) return;
    const now = await read();
    if (now.version < grid.sheet.version || later()) return;
    const { collapsed, only } = grid.sheet;
    Object.assign(now, { collapsed, only });
    Object.assign(grid, { recent: fresh.compared(grid.sheet, now), sheet: now });
    tools.recall(now);
    tools.layout();
    fresh.count();
  };
  const failed = (error) => say(`The sheet could not be read: ${error.message}`);
  const settled = () => {
    tools.count();
    if (by('work').querySelector('.proposal')) talk.refresh();
  };
  const fresh = new Fresh(grid, () => reload().then(settled, failed), settled);
  const topics = () => [
    { topic: `sheet:${sheetId}`, lastEventId: grid.sheet.version },
    ...('person' in rights ? [{ topic: `session:${session}` }] : []),
    ...talk.jobs(),
  ];
  const events = {
    subscribed: ({ topic, eventId }) => {
      // What has changed is told as well, mostly: who is told need not read everything.
      if (topic.startsWith('sheet:')) setTimeout(() => eventId > grid.sheet.version && fresh.reload(), 1_000);
      if (!topic.startsWith('job:')) talk.refresh();
      if (topic.startsWith('session:')) talk.recall();
    },
    sheet_update: (update) => fresh.changed(update),
    message: ({ message }) => talk.show(message) && talk.refresh(),
    said: ({ message }) => talk.show(message),
    error: ({ topic, detail }) => {
      if (!topic.startsWith('sheet:')) return;
      fresh.state('stale');
      say(detail);
    },
    job_status: (status) => talk.moved(status) && talk.refresh(),
  };
  tools.recall(sheet);
  tools.layout();
  tools.count();
  rows.follow();
  editor.unsaved.recall();
  // What could not be written while the server was away is tried when it is back.
  const state = (now) => {
    fresh.state(now);
    if (now === 'live' || now === 'polled') editor.unsaved.back();
  };
  const live = new Live(send, topics, { state, event: (value) => events[value.type]?.(value) });
}

/** The rows that the server wrote are seen before the script takes over; a page in the background does not wait for that. */
const seen = new Promise((then) => {
  requestAnimationFrame(() => setTimeout(then));
  setTimeout(then, 1_000);
});

seen.then(read).then(start).catch((error) => say(`The sheet could not be read: ${error.message}`));
