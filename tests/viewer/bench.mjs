// What the page costs on a sheet of the largest size that Smartsheet allows: 20,000 rows of 25 columns, in a headless Chromium.
// CPU is that of the tab's main thread, from /proc; wall time depends on whatever else the machine does.

import { readFileSync, readdirSync } from 'node:fs';
import { faults, launch, live, open } from './browser.mjs';
import { World } from './world.mjs';

const EVENTS = 1_000;
const FRAMES = 240;
const STEP = 300;

/** CPU milliseconds of the main thread of the only renderer that shows a page. */
function mainThread() {
  const processes = readdirSync('/proc').filter((id) => /^\d+$/.test(id)).map((id) => {
    try {
      const words = readFileSync(`/proc/${id}/cmdline`, 'utf8');
      return words.includes('--type=renderer') ? { id, ns: Number(readFileSync(`/proc/${id}/task/${id}/schedstat`, 'utf8').split(' ')[0]) } : null;
    } catch {
      return null;
    }
  });
  return Math.max(...processes.filter(Boolean).map(({ ns }) => ns)) / 1e6;
}

const figures = [];
const figure = (what, value, unit, goal) => figures.push({ what, value, unit, goal });

const world = await World.start({
  sheet: 'Large', smartsheet: ['--seed', 'large', '--webhook-debounce-ms', '50'], settings: { SNAPSHOT_CACHE_MB: '512' },
});
const browser = await launch();
try {
  const link = await world.link('edit');
  // The server has read the sheet and packed it; a browser has nothing of it.
  const painted = [];
  for (let i = 0; i < 4; i++) {
    const visit = await open(browser, link, { viewport: { width: 1440, height: 900 } });
    await live(visit);
    painted.push(await visit.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0].startTime));
    await visit.context().close();
    await new Promise((rested) => setTimeout(rested, 500));
  }
  figure('first rows are seen (median of three visits)', painted.slice(1).sort((a, b) => a - b)[1] / 1_000, 's', 0.5);
  const page = await open(browser, undefined, { viewport: { width: 1440, height: 900 } });
  let bytes = 0;
  const wire = await page.context().newCDPSession(page);
  await wire.send('Network.enable');
  wire.on('Network.loadingFinished', (event) => (bytes += event.encodedDataLength));
  const began = mainThread();
  await page.goto(link);
  await live(page);
  figure('all rows are there', (await page.evaluate(() => performance.now())) / 1_000, 's');
  figure('the same: CPU', mainThread() - began, 'ms');
  figure('transferred', bytes / 1e6, 'MB');
  const heap = async () => {
    await wire.send('HeapProfiler.collectGarbage');
    return (await wire.send('Runtime.getHeapUsage')).usedSize / 1e6;
  };
  figure('heap', await heap(), 'MB', 25);
  figure('rows in the page', await page.locator('.space .row').count(), '', 200);
  const before = mainThread();
  const times = await page.evaluate(async ({ frames, step }) => {
    const grid = document.getElementById('grid');
    const times = [];
    for (let i = 0, last = performance.now(); i < frames; i++) {
      grid.scrollTop += step;
      await new Promise(requestAnimationFrame);
      times.push(performance.now() - last);
      last = performance.now();
    }
    return times.sort((a, b) => a - b);
  }, { frames: FRAMES, step: STEP });
  figure('scrolling: CPU of 1,000 px', (mainThread() - before) / (FRAMES * STEP / 1_000), 'ms', 60);
  figure('scrolling: frame, median', times[FRAMES / 2], 'ms');
  figure('scrolling: frame, 95 of 100', times[Math.floor(FRAMES * 0.95)], 'ms');
  const { rows, columns } = await world.sheet();
  const jump = await page.evaluate(async (id) => {
    const began = performance.now();
    location.hash = `#row=${id}`;
    while (!document.querySelector('.row.marked')) await new Promise(requestAnimationFrame);
    return performance.now() - began;
  }, rows[10_000].id);
  figure('jump to the row in the middle', jump, 'ms', 100);
  // One event a cell, as they come over the live connection: the page's own socket is handed the frames that the server would send.
  const text = columns.findIndex((column) => column.type === 'TEXT_NUMBER' && !column.primary);
  const cells = Array.from({ length: EVENTS }, (_, i) => rows[(i * 7_919) % rows.length].id);
  const { version } = await world.sheet();
  const frames = cells.map((id, i) => JSON.stringify({
    type: 'sheet_update', topic: `sheet:${world.session.sheetId}`, eventId: version + i + 1, from: version + i, version: version + i + 1, by: 'smartsheet', added: [], removed: [],
    changed: [{ id: String(id), cells: { [columns[text].id]: { value: `event ${i}`, display: `event ${i}` } } }],
  }));
  const quiet = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  const told = await quiet.newPage();
  const refused = [];
  told.on('console', (line) => /Content Security Policy/.test(line.text()) && refused.push(line.text()));
  await told.addInitScript(() => {
    const Real = WebSocket;
    window.WebSocket = class extends Real {
      constructor(...words) {
        super(...words);
        window.socket = this;
      }
    };
  });
  await page.context().close();
  await told.goto(link);
  await live(told);
  await told.evaluate((all) => (window.frames1000 = all) && new Promise((settled) => setTimeout(settled, 1_000)), frames);
  const idle = mainThread();
  const start = performance.now();
  await told.evaluate(async () => {
    // Each in a task of its own, as from the network.
    const channel = new MessageChannel();
    for (const data of window.frames1000) {
      await new Promise((next) => ((channel.port1.onmessage = next), channel.port2.postMessage(0)));
      window.socket.dispatchEvent(new MessageEvent('message', { data }));
    }
  });
  await told.locator('#changed', { hasText: new RegExp(`^${EVENTS} changed`) }).waitFor();
  figure(`${EVENTS} cells, an event each: CPU`, mainThread() - idle, 'ms', 200);
  figure('the same: until shown', performance.now() - start, 'ms');
  const wire2 = await quiet.newCDPSession(told);
  await wire2.send('HeapProfiler.collectGarbage');
  figure('heap after that', (await wire2.send('Runtime.getHeapUsage')).usedSize / 1e6, 'MB', 25);
  figure('breaches of the content security policy', refused.length, '', 0);
  figure('faults that axe finds', (await faults(told)).length, '', 0);
} finally {
  await browser.close();
  world.end();
}
for (const { what, value, unit, goal } of figures) {
  const shown = value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(2);
  const met = goal === undefined || value <= goal;
  if (!met) process.exitCode = 1;
  const wanted = goal === undefined ? '' : `   goal ${goal} ${unit}${met ? '' : '   MISSED'}`;
  console.log(`${what.padEnd(44)} ${String(shown).padStart(9)} ${unit}${wanted}`);
}
