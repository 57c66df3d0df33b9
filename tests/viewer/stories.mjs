// What people do with the page that the bot links to, told in a real browser against the whole program.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { cell, faults, fine, launch, live, open, row } from './browser.mjs';
import { World } from './world.mjs';

let world, browser, link;

before(async () => {
  world = await World.start({ smartsheet: ['--webhook-debounce-ms', '100'], azure: ['--row-latency-ms', '1000'], settings: { JOB_CONCURRENCY: '1' } });
  browser = await launch();
  link = await world.link('edit');
});
after(async () => {
  await browser?.close();
  world?.end();
});

/** A page of the person's own, live. */
async function mine(options) {
  const page = await open(browser, link, options);
  await live(page);
  return page;
}
const done = async (page) => {
  fine(page);
  await page.context().close();
};
const story = (name, run) => test(name, { timeout: 40_000 }, run);
/** The locator's first element is as wanted, or will be. */
async function until(locator, wanted) {
  for (let left = 1_200; left > 0; left--) {
    if (await wanted(locator)) return;
    await locator.page().evaluate(() => new Promise(requestAnimationFrame));
  }
  assert.fail(`never so: ${wanted} of ${locator}`);
}
const reads = (locator, text) => until(locator, async (l) => (await l.textContent()) === text);
/** Waits for what the page says about an edit. */
async function toast(page, text) {
  try {
    await page.locator('#toast', { hasText: text }).waitFor({ timeout: 15_000 });
  } catch {
    assert.fail(`it never says “${text}”, but “${await page.locator('#toast').textContent()}”`);
  }
}

/** Waits for what the page says about something that is not saved. */
async function unsaved(page, text) {
  try {
    await page.locator('#unsaved', { hasText: text }).waitFor({ timeout: 15_000 });
  } catch {
    assert.fail(`it never says “${text}”, but “${await page.locator('#unsaved').textContent()}” and “${await page.locator('#toast').textContent()}”`);
  }
}
/** Does something, and waits for the answers of the server to so many edits. */
async function answered(page, act, count = 1) {
  let left = count;
  const all = new Promise((resolve) => {
    const seen = (answer) => {
      if (!/\/(cell|undo)$/.test(answer.url()) || --left > 0) return;
      page.off('response', seen);
      resolve(answer.finished());
    };
    page.on('response', seen);
  });
  await act();
  await all;
}
const marked = async (locator) => /unsaved/.test(await locator.getAttribute('class'));

story('a link from the chat opens the sheet, as often as one likes, and its address is clean then', async () => {
  for (let i = 0; i < 2; i++) {
    const answer = await fetch(link, { redirect: 'manual' });
    assert.equal(answer.status, 303);
    assert.match(answer.headers.get('set-cookie'), /HttpOnly; SameSite=Lax$/);
    assert.match(answer.headers.get('location'), /^\.\.\/sheet\/[0-9a-f]{12}$/);
  }
  const page = await mine();
  assert.match(page.url(), /\/sheet\/[0-9a-f]{12}$/);
  assert.equal(await page.title(), 'Project Plan – ChatSheetAI');
  assert.equal(await page.locator('#count').textContent(), '42 rows');
  const unfurled = await (await fetch(page.url())).text();
  assert.ok(!unfurled.includes('Phase 1') && !unfurled.includes('Project Plan'), 'without the link nothing of the sheet is told');
  const policy = (await fetch(page.url())).headers.get('content-security-policy');
  assert.ok(policy.startsWith("default-src 'none'") && !policy.includes('unsafe'), policy);
  await done(page);
});

story('the address of the server itself says what is there', async () => {
  const page = await open(browser, new URL('/', link).href);
  await page.getByRole('heading', { name: 'ChatSheetAI' }).waitFor();
  assert.match(await page.locator('main').textContent(), /edit for a link of your own/);
  assert.deepEqual(await faults(page), []);
  await page.getByRole('link', { name: 'REST API' }).click();
  await page.waitForURL(/\/api\/docs$/);
  await page.context().close();
});

story('without scripts the first rows are there, too', async () => {
  const page = await open(browser, link, { javaScriptEnabled: false });
  assert.equal(await page.locator('.space .row').count(), 42);
  assert.match(await row(page, 'Style guide').textContent(), /Mia Jensen.*Complete.*2026-\d\d-\d\d/);
  await page.context().close();
});

story('what the script shows is what the server wrote', async () => {
  const plain = await open(browser, link, { javaScriptEnabled: false });
  const page = await mine();
  const rows = (of) => of.locator('.space .row').evaluateAll((all) => all.map((one) => [...one.children].map((c) => `${c.className}|${c.textContent}|${[...c.querySelectorAll('.chip')].map((chip) => `${chip.className} ${chip.dataset.sign}`)}`)));
  const [server, script] = [await rows(plain), await rows(page)];
  assert.ok(script.length >= 20);
  for (const [i, cells] of script.entries()) assert.deepEqual(cells, server[i], `row ${i + 1}`);
  await plain.context().close();
  await done(page);
});

story('it is a treegrid, and the keyboard goes everywhere', async () => {
  const page = await mine();
  const grid = page.getByRole('treegrid', { name: 'Project Plan' });
  assert.equal(await grid.getAttribute('aria-rowcount'), '43');
  const order = () => page.locator('.space .row').evaluateAll((all) => all.map((one) => Number(one.getAttribute('aria-rowindex'))));
  const indexes = await order();
  assert.deepEqual(indexes, indexes.map((_, i) => indexes[0] + i), 'reading order is row order');
  const at = () => page.evaluate(() => `${document.activeElement.parentElement.getAttribute('aria-rowindex')}:${document.activeElement.getAttribute('aria-colindex')}`);
  await grid.focus();
  assert.equal(await at(), '2:2');
  for (const [key, where] of [
    ['ArrowDown', '3:2'], ['ArrowRight', '3:3'], ['End', '3:11'], ['Home', '3:1'], ['Control+End', '43:11'], ['Control+Home', '2:1'], ['ArrowUp', '1:1'],
    ['ArrowDown', '2:1'], ['ArrowRight', '2:2'],
  ]) {
    await page.keyboard.press(key);
    assert.equal(await at(), where, key);
  }
  await page.setViewportSize({ width: 700, height: 500 });
  await until(grid, (l) => l.evaluate((e) => e.clientWidth <= 700 && e.getBoundingClientRect().bottom <= innerHeight));
  await page.keyboard.press('Control+End');
  // Places are scrolled to in whole pixels, and heights of text are not whole.
  const inSight = () => page.evaluate(() => {
    const { left, right, bottom } = document.activeElement.getBoundingClientRect();
    return document.activeElement.getAttribute('aria-colindex') === '11' && left > 279 && right < innerWidth + 1 && bottom < innerHeight + 1;
  });
  // Columns that were out of sight come into it, beside those that stay.
  await until(grid, inSight);
  // Who scrolls away by hand stays at the cell, and comes back to it with the next key or another size of the window.
  const scrolledAway = () => grid.evaluate((e) => {
    e.scrollTo(0, 0);
    return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  });
  await scrolledAway();
  await page.keyboard.press('ArrowLeft');
  assert.equal(await at(), '43:10');
  await page.keyboard.press('ArrowRight');
  await scrolledAway();
  await page.setViewportSize({ width: 720, height: 400 });
  await until(grid, inSight);
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('ArrowRight');
  await page.setViewportSize({ width: 1800, height: 800 });
  const first = row(page, 'Phase 1: Discovery');
  await page.keyboard.press('ArrowLeft');
  await until(first, async (l) => (await l.getAttribute('aria-expanded')) === 'false');
  assert.match(await first.locator('.toggle').textContent(), /▸/);
  assert.equal(await grid.getAttribute('aria-rowcount'), '36');
  await page.keyboard.press('ArrowRight');
  await until(first, async (l) => (await l.getAttribute('aria-expanded')) === 'true');
  await page.keyboard.press(' ');
  assert.ok(await page.getByRole('dialog', { name: 'Phase 1: Discovery' }).isVisible());
  await page.keyboard.press('Escape');
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'search');
  await done(page);
});

story('search counts what matches, keeps what stands above it, and says when nothing does', async () => {
  const page = await mine();
  await page.fill('#search', 'usability');
  await page.locator('#count', { hasText: '1 of 42 rows' }).waitFor();
  assert.deepEqual((await page.locator('.space .primary').allTextContents()).map((t) => t.replace(/[▾▸]/, '')), ['Phase 2: Design', 'Usability test']);
  assert.match(page.url(), /\?q=usability$/);
  await page.fill('#search', 'there is no such thing');
  await page.locator('#empty', { hasText: 'No row matches' }).waitFor();
  assert.deepEqual(await faults(page), []);
  await page.fill('#search', '');
  await page.locator('#count', { hasText: /^42 rows$/ }).waitFor();
  await done(page);
});

story('filters, sorting, hidden and wider columns stay in the address and in this browser', async () => {
  const page = await mine();
  await page.click('#filter');
  await page.getByLabel('Filter Status').fill('=blocked');
  await page.locator('#count', { hasText: /^2 of 42 rows$/ }).waitFor();
  await page.getByLabel('Filter Budget').fill('>10000');
  await page.locator('#count', { hasText: /^[01] of 42 rows$/ }).waitFor();
  await page.getByLabel('Filter Status').fill('');
  // Numbers as people write them, against the sheet itself: texts among them are neither more nor less.
  const cells = async (title) => {
    const { rows, columns } = await world.sheet();
    const { id } = columns.find((column) => column.title === title);
    return rows.map((r) => r.cells.find((c) => c.columnId === id)?.value);
  };
  const [budgets, done_, states] = [await cells('Budget'), await cells('% Complete'), await cells('Status')];
  const number = (value) => typeof value === 'number';
  for (const [title, asked, values, fits] of [
    ['Budget', '>10000', budgets, (v) => number(v) && v > 10_000], ['Budget', '> 10,000', budgets, (v) => number(v) && v > 10_000],
    ['Budget', '>$10k', budgets, (v) => number(v) && v > 10_000], ['Budget', '<= 5,200', budgets, (v) => number(v) && v <= 5_200],
    ['Budget', '=5,200', budgets, (v) => v === 5_200], ['Budget', '=$5200', budgets, (v) => v === 5_200],
    ['Budget', '5k-10k', budgets, (v) => number(v) && v >= 5_000 && v <= 10_000], ['Budget', '!=5200', budgets, (v) => v !== 5_200],
    ['Budget', 'tbd', budgets, (v) => v === 'tbd'], ['Budget', 'empty', budgets, (v) => v === undefined],
    ['% Complete', '>50', done_, (v) => number(v) && v > 0.5], ['% Complete', '>=50%', done_, (v) => number(v) && v >= 0.5],
    ['Status', 'blocked, cancelled', states, (v) => ['Blocked', 'Cancelled'].includes(v)], ['Status', 'not empty', states, (v) => v],
  ]) {
    await page.getByLabel(`Filter ${title}`).fill(asked);
    const count = values.filter(fits).length;
    await page.locator('#count', { hasText: count === values.length ? `${count}` : `${count} of ${values.length} rows` }).waitFor({ timeout: 5_000 })
      .catch(async () => assert.fail(`${title} ${asked}: ${count} rows, not ${await page.locator('#count').textContent()}`));
    await page.getByLabel(`Filter ${title}`).fill('');
  }
  await page.getByLabel('Filter Status').fill('=blocked');
  await page.locator('#count', { hasText: /^2 of 42 rows$/ }).waitFor();
  await page.click('.head .cell:has-text("Due Date")');
  assert.equal(await page.locator('[aria-sort=ascending]').textContent(), 'Due Date');
  await page.click('#columns summary');
  await page.getByLabel('Notes', { exact: true }).uncheck();
  await page.getByLabel('Wider: Status').click();
  const width = () => page.locator('.head .cell:has-text("Status")').first().evaluate((e) => e.offsetWidth);
  const wide = await width();
  assert.deepEqual(await faults(page), []);
  await page.reload();
  await live(page);
  assert.equal(await page.locator('#count').textContent(), '2 of 42 rows');
  assert.equal(await page.locator('[aria-sort=ascending]').textContent(), 'Due Date');
  assert.equal(await width(), wide);
  assert.equal(await page.locator('.head .cell:has-text("Notes")').count(), 0);
  // A filter that somebody types in stays theirs when the sheet is read anew.
  await page.getByLabel('Filter Status').fill('=bloc');
  const column = (await world.sheet()).columns.find(({ title }) => title === 'Budget');
  const rename = (title) => world.smartsheet('PUT', `/sheets/${world.session.sheetId}/columns/${column.id}`, { title });
  await rename('Costs');
  await page.locator('.head .cell', { hasText: 'Costs' }).waitFor();
  await page.keyboard.type('ked');
  assert.equal(await page.getByLabel('Filter Status').inputValue(), '=blocked');
  await page.locator('#count', { hasText: /^2 of 42 rows$/ }).waitFor();
  await rename('Budget');
  await page.locator('.head .cell', { hasText: 'Budget' }).waitFor();
  // What is shown goes on paper.
  const names = await page.locator('.space .primary').allTextContents();
  const print = async () => {
    const [paper] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: 'Print' }).click()]);
    await paper.locator('.paper').waitFor();
    return paper;
  };
  const paper = await print();
  const printed = await paper.locator('tbody td.level-1, tbody td.level-2, tbody td.level-3').allTextContents();
  assert.deepEqual(printed.map((t) => t.trim()), names.map((t) => t.replace(/[▾▸]/, '').trim()));
  assert.equal(await paper.locator('th', { hasText: 'Notes' }).count(), 0);
  assert.equal(await paper.locator('th', { hasText: 'Status' }).count(), 1);
  await page.getByLabel('Filter Status').fill('there is no such state');
  await page.locator('#empty').waitFor();
  assert.equal(await (await print()).locator('tbody tr').count(), 0, 'nothing is nothing');
  await done(page);
});

story('a link to a row opens what is above it and marks it; a link to several offers only them', async () => {
  const id = (await world.sheet()).rows[11].id;
  const page = await open(browser, `${link}?q=usability#row=${id}`);
  await live(page);
  await toast(page, 'hidden by the search');
  await page.getByRole('button', { name: 'Show it' }).click();
  await page.locator('.row.marked').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.closest('.row').classList.contains('marked')), true);
  await page.evaluate(() => (location.hash = '#row=12345'));
  await toast(page, 'not in the sheet any more');
  const answer = await world.say('which tasks are blocked?');
  const rows = /http:\/\/[^\s)]+\/v\/[^\s)]+\?rows=[0-9-]+/.exec(answer)[0];
  await page.goto(rows);
  await page.getByRole('button', { name: 'Only the 2 marked' }).click();
  await page.locator('#count', { hasText: '2 of 42 rows' }).waitFor();
  assert.equal(await page.locator('.row.marked').count(), 2);
  await page.fill('#search', 'there is no such thing');
  await page.locator('#empty', { hasText: 'No row matches' }).waitFor();
  await page.evaluate(() => (location.hash = `#row=${new URLSearchParams(location.search).get('rows').split('-')[0]}`));
  await page.getByRole('button', { name: 'Show it' }).click();
  await page.locator('#count', { hasText: /^42 rows$/ }).waitFor();
  assert.equal(await page.locator('#marked').getAttribute('aria-pressed'), 'false', 'all rows are shown again');
  assert.equal(await page.locator('#add, #chat').count(), 0, 'a link for everybody is for looking');
  await done(page);
});

story('a cell is edited in place, written, and taken back', async () => {
  const page = await mine();
  const status = await cell(page, 'Style guide', 'Status');
  await status.dblclick();
  await page.fill('.editor', 'Blocked');
  assert.deepEqual(await faults(page), [], 'with an open editor');
  await page.keyboard.press('Enter');
  await reads(status, 'Blocked');
  await toast(page, 'Saved.');
  assert.equal(await world.cell('Style guide', 'Status'), 'Blocked');
  await page.getByRole('button', { name: 'Undo' }).click();
  await toast(page, 'Taken back');
  assert.equal(await world.cell('Style guide', 'Status'), 'Complete');
  await reads(status, 'Complete');
  // A number is a number, and in a column of percents one of percents.
  for (const [column, typed, shown, value] of [['% Complete', '75', '75%', 0.75], ['% Complete', '62.50', '62.5%', 0.625], ['Budget', '1234.5', '$1,234.50', 1234.5]]) {
    const number = await cell(page, 'Style guide', column);
    const before = await number.textContent();
    await number.dblclick();
    await page.fill('.editor', typed);
    await page.keyboard.press('Enter');
    await reads(number, shown);
    assert.equal(await world.cell('Style guide', column), value);
    // It can also be taken back when nothing of it is told any more.
    await toast(page, 'Saved.');
    await page.evaluate(() => document.getElementById('toast').replaceChildren());
    await page.getByRole('button', { name: 'Take back' }).click();
    await reads(number, before);
  }
  assert.equal(await page.getByRole('button', { name: 'Take back' }).count(), 0, 'there is nothing left');
  await done(page);
});

story('what somebody types is neither written nor lost while the sheet is read anew', async () => {
  const [page, other] = [await mine(), await mine()];
  const notes = await cell(page, 'Style guide', 'Notes');
  const before = await world.cell('Style guide', 'Notes');
  await notes.dblclick();
  await page.fill('.editor', 'half a sent');
  const columns = `/api/smartsheet/${world.session.sheetId}/columns`;
  const { columnId } = await world.api('POST', columns, { title: 'Later', type: 'CHECKBOX' });
  const [there, here] = [other, page].map((shown) => shown.getByRole('columnheader', { name: 'Later' }));
  await there.waitFor();
  assert.equal(await page.inputValue('.editor'), 'half a sent');
  assert.equal(await here.count(), 0, 'it waits');
  assert.equal(await world.cell('Style guide', 'Notes'), before);
  await page.keyboard.press('Escape');
  await here.waitFor();
  assert.equal(await world.cell('Style guide', 'Notes'), before);
  await world.api('DELETE', `${columns}/${columnId}`);
  await until(there, async (l) => (await l.count()) === 0);
  await done(page);
  await done(other);
});

story('fingers edit the cell that they press once more', async () => {
  const page = await mine({ hasTouch: true });
  const status = await cell(page, 'Style guide', 'Status');
  await status.tap();
  assert.equal(await page.locator('.editor').count(), 0);
  await status.tap();
  await page.fill('.editor', 'Blocked');
  await page.keyboard.press('Enter');
  await toast(page, 'Saved.');
  await page.getByRole('button', { name: 'Undo' }).tap();
  await toast(page, 'Taken back');
  await done(page);
});

story('what does not fit is refused with words, and stays in its cell until somebody decides', async () => {
  const page = await mine();
  const owner = await cell(page, 'Style guide', 'Assigned To');
  const before = await owner.textContent();
  await owner.dblclick();
  await page.fill('.editor', 'Nobody Known');
  await page.keyboard.press('Enter');
  await unsaved(page, 'Style guide: Not saved');
  assert.match(await page.locator('#unsaved').textContent(), /“Nobody Known”/, 'what was typed is not lost');
  await reads(owner, 'Nobody Known');
  assert.ok(await marked(owner));
  assert.deepEqual(await faults(page), [], 'with something unsaved');
  await page.getByRole('button', { name: 'Try again' }).click();
  await unsaved(page, 'Style guide: Not saved');
  await page.getByRole('button', { name: 'Leave it' }).click();
  await reads(owner, before);
  assert.ok(!(await marked(owner)));
  await owner.dblclick();
  await page.keyboard.press('Escape');
  await reads(owner, before);
  await done(page);
});

story('who scrolls away while typing is asked, and one who types twice is in nobody\'s way', async () => {
  const page = await mine();
  await page.setViewportSize({ width: 1800, height: 300 });
  const notes = await cell(page, 'Kick-off workshop', 'Notes');
  await notes.dblclick();
  await page.fill('.editor', 'half a');
  await page.locator('#grid').evaluate((grid) => (grid.scrollTop = grid.scrollHeight));
  await toast(page, 'You were typing in Notes: “half a”.');
  assert.equal(await world.cell('Kick-off workshop', 'Notes'), undefined, 'nothing was written');
  await page.getByRole('button', { name: 'Save it' }).click();
  await toast(page, 'Saved.');
  assert.equal(await world.cell('Kick-off workshop', 'Notes'), 'half a');
  await page.locator('#grid').evaluate((grid) => (grid.scrollTop = 0));
  const type = async (column, words) => {
    await (await cell(page, 'Kick-off workshop', column)).dblclick();
    await page.fill('.editor', words);
    await page.keyboard.press('Enter');
  };
  await type('Budget', '4600');
  await type('Notes', 'whole');
  await type('Budget', '4700');
  await until(page.locator('body'), async () => (await world.cell('Kick-off workshop', 'Budget')) === 4700);
  assert.doesNotMatch(await page.locator('#toast').textContent(), /changed meanwhile/);
  await type('Budget', '4500');
  await type('Notes', '');
  await until(page.locator('body'), async () => !(await world.cell('Kick-off workshop', 'Notes')));
  await done(page);
});

story('who was slower is told what is there now, and decides', async () => {
  const context = await browser.newContext({ viewport: { width: 1800, height: 800 } });
  const page = await context.newPage();
  // It opens its socket when it has read the sheet, and hears nothing of it from then on.
  const read = new Promise((resolve) => page.routeWebSocket(/\/ws/, resolve).then(() => page.goto(link)));
  await read;
  await row(page, 'Usability test').waitFor();
  const priority = await cell(page, 'Usability test', 'Priority');
  await world.set('Usability test', 'Priority', 'Low');
  const edit = async () => {
    await priority.dblclick();
    await page.fill('.editor', 'High');
    await page.keyboard.press('Enter');
  };
  await edit();
  await unsaved(page, 'Priority was changed meanwhile. There now: “Low”. You: “High”.');
  await reads(priority, 'High');
  assert.ok(await marked(priority));
  // What else is typed does not take its place.
  await (await cell(page, 'Usability test', 'Notes')).dblclick();
  await page.fill('.editor', 'beside it');
  await page.keyboard.press('Enter');
  await toast(page, 'Saved.');
  await unsaved(page, 'Priority was changed meanwhile.');
  assert.equal(await world.cell('Usability test', 'Priority'), 'Low', 'nothing was overwritten');
  await answered(page, () => page.getByRole('button', { name: 'Keep mine' }).click());
  assert.equal(await world.cell('Usability test', 'Priority'), 'High');
  await page.locator('#unsaved').waitFor({ state: 'hidden' });
  assert.match(await page.locator('#live').textContent(), /read|Reconnecting|Not live/, 'the dot tells the truth');
  await context.close();
});

story('what others change in Smartsheet comes in by the webhook, flashes, and leaves an open editor alone', async () => {
  const page = await mine();
  const notes = await cell(page, 'Usability test', 'Notes');
  await (await cell(page, 'Usability test', 'Budget')).dblclick();
  await page.fill('.editor', '777');
  await world.set('Usability test', 'Notes', 'eight people');
  await world.set('Usability test', 'Budget', 123);
  await reads(notes, 'eight people');
  assert.match(await notes.getAttribute('class'), /changed/);
  assert.match(await notes.getAttribute('title'), /^Changed in Smartsheet at /);
  assert.equal(await page.inputValue('.editor'), '777');
  await page.keyboard.press('Escape');
  // The note, the budget, and the total above it.
  await page.locator('#changed', { hasText: '3 changed, last in Smartsheet' }).waitFor();
  await page.locator('.cell.changed', { hasText: /^\$?123$/ }).waitFor();
  await world.api('PATCH', `/api/smartsheet/${world.session.sheetId}/rows/${(await world.sheet()).rows[14].id}`, { cells: { Budget: 5400 } });
  await page.locator('#changed', { hasText: 'last through this bot' }).waitFor();
  await done(page);
});

story('rows that come above leave alone what somebody types, and half a date is none', async () => {
  const page = await mine();
  await (await cell(page, 'Kick-off workshop', 'Notes')).dblclick();
  await page.fill('.editor', 'half a sent');
  const { result } = await world.smartsheet('POST', `/sheets/${world.session.sheetId}/rows`, [
    { toTop: true, cells: [{ columnId: (await world.sheet()).columns[0].id, value: 'Come from elsewhere' }] },
  ]);
  await page.waitForTimeout(1_500);
  assert.equal(await page.inputValue('.editor'), 'half a sent', 'it is not finished');
  assert.equal(await world.cell('Kick-off workshop', 'Notes'), undefined, 'and nothing of it is written');
  await page.keyboard.press('Escape');
  await row(page, 'Come from elsewhere').waitFor();
  await world.smartsheet('DELETE', `/sheets/${world.session.sheetId}/rows?ids=${result[0].id}`);
  await row(page, 'Come from elsewhere').waitFor({ state: 'detached' });
  const due = await cell(page, 'Usability test', 'Due Date');
  const before = await due.textContent();
  await due.dblclick();
  await page.keyboard.press('End');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Backspace');
  await page.locator('h1').click();
  await unsaved(page, 'Usability test: Not saved');
  assert.notEqual(await due.textContent(), before);
  await page.getByRole('button', { name: 'Leave it' }).click();
  await reads(due, before);
  await done(page);
});

story('who only looks into a cell changes nothing, whatever stands in it', async () => {
  await world.set('Market survey', 'Notes', 'first line\nsecond line');
  await world.set('Market survey', 'Start', 'not known yet');
  const page = await mine();
  await until(await cell(page, 'Market survey', 'Start'), async (l) => (await l.textContent()) === 'not known yet');
  for (const column of ['Notes', 'Start', 'Due Date', 'Budget', '% Complete', 'Assigned To', 'Status']) {
    await (await cell(page, 'Market survey', column)).dblclick();
    await page.locator('.editor').waitFor();
    await page.locator('h1').click();
    await page.locator('.editor').waitFor({ state: 'detached' });
  }
  assert.equal(await page.locator('#toast').textContent(), '');
  assert.equal(await world.cell('Market survey', 'Notes'), 'first line\nsecond line');
  assert.equal(await world.cell('Market survey', 'Start'), 'not known yet');
  await done(page);
});

story('what is typed over a cell is what is saved, from the first key on', async () => {
  const page = await mine();
  const typed = async (column, keys) => {
    await (await cell(page, 'Style guide', column)).click();
    await page.keyboard.type(keys);
    await answered(page, () => page.keyboard.press('Enter'));
  };
  const holds = async (column, value) => assert.equal(await world.cell('Style guide', column), value);
  const before = Object.fromEntries(await Promise.all(['Due Date', 'Status', 'Assigned To'].map(async (c) => [c, await world.cell('Style guide', c)])));
  for (const [keys, value] of [['2027-03-01', '2027-03-01'], ['3 April 2027', '2027-04-03'], ['2027-12-31', '2027-12-31']]) {
    await typed('Due Date', keys);
    await holds('Due Date', value);
  }
  for (const option of ['In Progress', 'Blocked', 'Cancelled', 'Not Started']) {
    await typed('Status', option);
    await holds('Status', option);
  }
  // One that is meant by its beginning is shown as such before it is taken; what fits none is not made into another one.
  await (await cell(page, 'Style guide', 'Status')).click();
  await page.keyboard.type('blo');
  assert.equal(await page.locator('#offers [aria-selected=true]').textContent(), 'Blocked');
  assert.deepEqual(await faults(page), [], 'with a list of options');
  await answered(page, () => page.keyboard.press('Enter'));
  await holds('Status', 'Blocked');
  await typed('Status', 'Quux');
  await unsaved(page, '“Quux”');
  assert.equal(await world.cell('Style guide', 'Status'), 'Blocked');
  await page.getByRole('button', { name: 'Leave it' }).click();
  await typed('Due Date', '0301-02-07');
  await unsaved(page, '“0301-02-07”');
  assert.equal(await world.cell('Style guide', 'Due Date'), '2027-12-31');
  await page.getByRole('button', { name: 'Leave it' }).click();
  // The list by keys, and by the mouse.
  await (await cell(page, 'Style guide', 'Status')).dblclick();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await answered(page, () => page.keyboard.press('Enter'));
  await holds('Status', 'In Progress');
  await (await cell(page, 'Style guide', 'Status')).dblclick();
  await answered(page, () => page.locator('#offers li', { hasText: 'Cancelled' }).click());
  await holds('Status', 'Cancelled');
  for (const [column, value] of Object.entries(before)) {
    await world.set('Style guide', column, value);
    await until(await cell(page, 'Style guide', column), async (l) => !(await marked(l)));
  }
  await done(page);
});

story('a cell is cleared, copied, pasted and taken back by keys', async () => {
  const page = await mine({ permissions: ['clipboard-read', 'clipboard-write'] });
  const keys = async (keys, value) => {
    await answered(page, () => page.keyboard.press(keys));
    assert.equal((await world.cell('Style guide', 'Priority')) ?? '', value);
  };
  const before = await world.cell('Style guide', 'Priority');
  await (await cell(page, 'Style guide', 'Priority')).click();
  await keys('Delete', '');
  await keys('Control+z', before);
  await (await cell(page, 'Information architecture', 'Priority')).click();
  const high = await world.cell('Information architecture', 'Priority');
  await page.keyboard.press('Control+c');
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), high);
  await (await cell(page, 'Style guide', 'Priority')).click();
  await keys('Control+v', high);
  await keys('Control+z', before);
  await page.evaluate(() => navigator.clipboard.writeText('a\tb\nc\td'));
  await page.keyboard.press('Control+v');
  await toast(page, 'Several cells at once');
  assert.equal(await world.cell('Style guide', 'Priority'), before);
  await done(page);
});

story('what cannot be saved while the server is away is kept, over a reload, and saved when it is back', async () => {
  const page = await mine();
  await page.route('**/cell', (route) => route.abort());
  const names = ['Kick-off workshop', 'Interview guide', 'Market survey'];
  for (const [i, name] of names.entries()) {
    await (await cell(page, name, 'Department')).dblclick();
    await page.fill('.editor', 'Legal');
    await page.keyboard.press('Enter');
    await unsaved(page, `${i + 1} not saved`);
  }
  await page.reload();
  await unsaved(page, '3 not saved');
  for (const name of names) await reads(await cell(page, name, 'Department'), 'Legal');
  assert.deepEqual(await faults(page), [], 'with three unsaved');
  const before = await Promise.all(names.map((name) => world.cell(name, 'Department')));
  assert.ok(before.every((value) => value !== 'Legal'));
  await page.unroute('**/cell');
  await answered(page, () => page.getByRole('button', { name: 'Try all again' }).click(), 3);
  await page.locator('#unsaved').waitFor({ state: 'hidden' });
  for (const [i, name] of names.entries()) {
    assert.equal(await world.cell(name, 'Department'), 'Legal');
    await world.set(name, 'Department', before[i]);
  }
  await done(page);
});

story('the grid stays when the column under the cursor goes, and nothing that destroys has the focus', async () => {
  const page = await mine();
  await (await cell(page, 'Style guide', 'Notes')).click();
  await page.keyboard.press('F2');
  await page.keyboard.press('Escape');
  const { columnId } = await world.api('POST', `/api/smartsheet/${world.session.sheetId}/columns`, { title: 'Goes', type: 'TEXT_NUMBER' });
  await page.getByRole('columnheader', { name: 'Goes' }).waitFor();
  await (await cell(page, 'Style guide', 'Goes')).click();
  await world.api('DELETE', `/api/smartsheet/${world.session.sheetId}/columns/${columnId}`);
  await page.getByRole('columnheader', { name: 'Goes' }).waitFor({ state: 'detached' });
  assert.ok((await page.locator('.space .row').count()) > 10);
  for (const box of ['Notes', 'Budget']) {
    await page.locator('#columns summary').click();
    await page.getByLabel(box, { exact: true }).uncheck();
    await page.locator('h1').click();
    const filled = await page.locator('.space .row').evaluateAll((rows) => rows.filter((r) => r.children[1].textContent.trim()).length);
    assert.ok(filled > 10, `${filled} rows have a name`);
  }
  await page.locator('#columns summary').click();
  for (const box of ['Notes', 'Budget']) await page.getByLabel(box, { exact: true }).check();
  await page.locator('h1').click();
  await (await cell(page, 'Style guide', 'Status')).click();
  await page.keyboard.press('Space');
  await page.locator('#details').waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.id), 'details-title');
  await page.keyboard.press('Enter');
  assert.equal(await page.locator('#toast', { hasText: 'Delete' }).count(), 0);
  // From row to row, as they are shown; who presses can press again.
  const title = page.locator('#details h2');
  await page.getByRole('button', { name: 'Next' }).click();
  await reads(title, 'Page templates');
  await page.keyboard.press('Enter');
  await reads(title, 'Copy writing');
  for (const name of ['Page templates', 'Style guide', 'Visual design']) {
    await page.getByRole('button', { name: 'Previous' }).click();
    await reads(title, name);
  }
  assert.deepEqual(await faults(page), []);
  await page.keyboard.press('Escape');
  await row(page, 'Visual design').locator('.cell:focus').waitFor();
  await page.getByRole('button', { name: 'Add row' }).click();
  await page.getByRole('button', { name: 'Cancel' }).click();
  await page.locator('#details').waitFor({ state: 'hidden' });
  await page.getByRole('button', { name: 'Add row' }).click();
  await page.mouse.click(5, 5);
  await page.locator('#details').waitFor({ state: 'hidden' });
  await done(page);
});

story('edits of one cell in quick succession end with the last one', async () => {
  const page = await mine();
  const notes = await cell(page, 'Legacy audit', 'Notes');
  await notes.click();
  for (const text of ['one', 'two', 'three']) {
    await page.keyboard.press('F2');
    await page.fill('.editor', text);
    await page.keyboard.press('Tab');
    await notes.click();
  }
  await reads(notes, 'three');
  await until(page.locator('body'), async () => (await world.cell('Legacy audit', 'Notes')) === 'three');
  await reads(notes, 'three');
  assert.equal(await page.locator('#toast', { hasText: 'meanwhile' }).count(), 0, 'nobody is in conflict with themselves');
  await done(page);
});

story('what others move leaves the focus on its row, and the row that is to go is the one that was named', async () => {
  const page = await mine();
  await row(page, 'Copy writing').getByRole('rowheader').click();
  const { rows, columns } = await world.sheet();
  const cells = [{ columnId: columns.find((c) => c.primary).id, value: 'Came in between' }];
  await world.smartsheet('POST', `/sheets/${world.session.sheetId}/rows`, [{ toTop: true, cells }]);
  await page.locator('#count', { hasText: /^43 rows$/ }).waitFor();
  await page.getByRole('button', { name: 'Delete row' }).click();
  await toast(page, 'Delete “Copy writing”?');
  await page.getByRole('button', { name: 'Keep' }).click();
  assert.equal((await world.sheet()).rows.length, rows.length + 1);
  await page.locator('#grid').evaluate((grid) => grid.querySelector('[tabindex="0"]').focus());
  assert.match(await page.evaluate(() => document.activeElement.parentElement.textContent), /Copy writing/);
  await page.keyboard.press('Shift+Tab');
  assert.equal(await page.evaluate(() => document.getElementById('grid').contains(document.activeElement)), false, 'Shift+Tab leaves the grid');
  const added = (await world.sheet()).rows.find((r) => r.cells.some((c) => c.value === 'Came in between'));
  await world.smartsheet('DELETE', `/sheets/${world.session.sheetId}/rows?ids=${added.id}`);
  await page.locator('#count', { hasText: /^42 rows$/ }).waitFor();
  await done(page);
});

story('a row is added and deleted, and both can be taken back', async () => {
  const page = await mine();
  await (await cell(page, 'Style guide', 'Task Name')).click();
  await page.click('#add');
  await page.getByRole('textbox', { name: 'Name of the new row' }).fill('Colour review');
  assert.deepEqual(await faults(page), [], 'with an open dialog');
  await page.keyboard.press('Enter');
  await row(page, 'Colour review').waitFor();
  const { rows } = await world.sheet();
  assert.equal(rows.findIndex((r) => r.cells.some((c) => c.value === 'Colour review')), rows.findIndex((r) => r.cells.some((c) => c.value === 'Style guide')) + 1);
  await row(page, 'Colour review').getByRole('rowheader').click();
  await page.getByRole('button', { name: 'Delete row' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await row(page, 'Colour review').waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).click();
  await row(page, 'Colour review').waitFor();
  await row(page, 'Colour review').getByRole('rowheader').click();
  await page.getByRole('button', { name: 'Delete row' }).click();
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  await page.locator('#count', { hasText: /^42 rows$/ }).waitFor();
  await done(page);
});

story('a proposal is shown old beside new, tells what has moved since, and is confirmed here as in the thread', async () => {
  const page = await mine();
  await world.say('set Status to "In Progress" for everything assigned to Dana that is Not Started');
  const proposal = page.getByRole('region', { name: /^Proposal/ });
  await proposal.waitFor();
  assert.match(await proposal.locator('tbody tr').first().textContent(), /Usability test\s+Status\s+Not Started\s+In Progress/);
  assert.deepEqual(await faults(page), [], 'with a difference');
  const looking = await open(browser, await world.link('view'));
  assert.equal(await looking.locator('#work button').count(), 0, 'only the person who asked decides');
  await looking.context().close();
  await world.set('Test plan', 'Status', 'Blocked');
  await proposal.getByText('now “Blocked”: will be left alone').waitFor();
  await proposal.getByRole('button', { name: 'Confirm' }).click();
  await proposal.waitFor({ state: 'detached' });
  assert.equal(await world.cell('Usability test', 'Status'), 'In Progress');
  assert.equal(await world.cell('Test plan', 'Status'), 'Blocked');
  assert.match(await world.say('undo'), /Taken back/);
  await done(page);
});

story('without scripts a proposal is confirmed, too', async () => {
  await world.say('set Priority to Low for "Style guide"');
  const page = await open(browser, link, { javaScriptEnabled: false });
  await page.getByRole('button', { name: 'Confirm' }).click();
  await page.waitForURL(/\/sheet\/[0-9a-f]{12}$/);
  assert.equal(await page.getByRole('region', { name: /^Proposal/ }).count(), 0);
  assert.equal(await world.cell('Style guide', 'Priority'), 'Low');
  await world.say('undo');
  await page.context().close();
});

story('a running job is a bar, and is cancelled here', async () => {
  const page = await mine();
  await world.say('summarize Notes into Summary');
  await page.getByRole('button', { name: 'Confirm' }).click();
  const job = page.getByRole('region', { name: /^Job/ });
  await job.locator('progress').waitFor();
  await until(job.locator('progress'), async (l) => Number(await l.getAttribute('value')) > 0);
  assert.deepEqual(await faults(page), [], 'with a job');
  await job.getByRole('button', { name: 'Cancel' }).click();
  await job.waitFor({ state: 'detached' });
  assert.match(await world.say('jobs'), /cancelled/);
  await done(page);
});

story('the conversation beside the sheet is that of the thread', async () => {
  const page = await mine();
  await page.click('#chat');
  const said = page.getByRole('log', { name: 'What was said' });
  await said.getByText('which tasks are blocked?').first().waitFor();
  await page.getByLabel('Message to the bot').fill('total budget by department');
  await page.keyboard.press('Enter');
  await said.locator('.message').last().getByText('Engineering').first().waitFor();
  assert.deepEqual(await faults(page), [], 'with the conversation');
  await said.locator('.message').last().locator('table').waitFor();
  assert.match(await said.locator('.message td a').first().getAttribute('href'), /rowId=/, 'rows can be opened as in the thread');
  await page.getByLabel('Message to the bot').fill('set Priority to Low for "Usability test"');
  await page.keyboard.press('Enter');
  await said.getByRole('button', { name: 'Confirm' }).waitFor();
  const before = await said.innerText();
  await page.reload();
  await page.click('#chat');
  await said.getByRole('button', { name: 'Cancel' }).waitFor();
  assert.equal(await said.innerText(), before, 'all of it is there after a reload: words, tables, buttons');
  await said.getByRole('button', { name: 'Cancel' }).click();
  await said.getByText('Cancelled').first().waitFor();
  const { messages } = await world.api('GET', `/api/messages?sessionId=${world.session.id}`);
  assert.ok(messages.some((message) => message.role === 'user' && message.content === 'total budget by department'));
  await done(page);
});

story('CSV is what is shown, and no text in it becomes a formula', async () => {
  await world.set('Legacy audit', 'Notes', '=HYPERLINK("http://evil.example","x")');
  await world.set('Legacy audit', 'Budget', -1234.5);
  const page = await mine();
  await page.fill('#search', 'legacy audit');
  await page.locator('#count', { hasText: '1 of 42 rows' }).waitFor();
  await page.locator('.space .cell', { hasText: '=HYPERLINK' }).waitFor();
  const [download] = await Promise.all([page.waitForEvent('download'), page.click('#csv')]);
  const text = readFileSync(await download.path(), 'utf8');
  assert.equal(download.suggestedFilename(), 'Project Plan.csv');
  assert.ok(text.startsWith('\uFEFF"Task Name",'), text.slice(0, 40));
  assert.match(text, /"'=HYPERLINK\(""http:\/\/evil\.example"",""x""\)"/);
  assert.match(text, /"-\$1,234\.50"/, 'a number is one');
  assert.equal(text.trimEnd().split('\r\n').length, 3, 'head, the phase above, the match');
  await done(page);
});

story('the dot tells the truth when the bot dies and comes back', async () => {
  const page = await mine();
  await world.kill();
  await page.locator('#live:not([data-state=live]):not([data-state=polled])').waitFor();
  await world.serve();
  await world.set('Market survey', 'Notes', 'while it was away');
  await live(page);
  await row(page, 'Market survey').getByText('while it was away').waitFor();
  await row(page, 'Market survey').locator('.cell.changed', { hasText: 'while it was away' }).waitFor();
  await page.locator('#changed', { hasText: 'seen on a second look' }).waitFor();
  await done(page);
});

story('print, dark, a phone, and a link that has ended have no fault that axe finds', async () => {
  const page = await mine();
  const base = page.url();
  const shot = (name) => page.screenshot({ path: `${process.env.SCREENSHOTS}/${name}.png` });
  assert.deepEqual(await faults(page), [], 'light');
  await shot('light');
  await page.emulateMedia({ colorScheme: 'dark' });
  assert.deepEqual(await faults(page), [], 'dark');
  await shot('dark');
  await page.setViewportSize({ width: 390, height: 844 });
  assert.deepEqual(await faults(page), [], 'on a phone');
  const first = page.locator('.space .row').first().locator('.cell').nth(1);
  await page.locator('#grid').evaluate((grid) => (grid.scrollLeft = 500));
  await until(first, async (cell) => (await cell.boundingBox()).x === 0);
  assert.ok((await first.boundingBox()).width <= 390 * 0.46, 'the name of a row stays in sight, and leaves room for the rest');
  await page.locator('.space .row').nth(2).locator('.cell').nth(4).click();
  await page.keyboard.press('ArrowLeft');
  const reached = await page.locator('.cell:focus').boundingBox();
  assert.ok(reached.x >= (await first.boundingBox()).width - 1, 'what the keyboard reaches is not behind it');
  await shot('phone');
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'nothing but the grid is wider than a phone');
  await page.goto(`${base}/print`);
  assert.equal(await page.locator('tbody tr').count(), 42);
  assert.deepEqual(await faults(page), [], 'on paper');
  await page.goto(`${link.slice(0, -4)}AAAA`);
  await page.getByRole('heading', { name: 'This link does not work any more' }).waitFor();
  assert.deepEqual(await faults(page), [], 'ended');
  await done(page);
});

story('a sheet without rows, and one that is not there any more, are told in plain words', async () => {
  const { result } = await world.smartsheet('POST', '/sheets', { name: 'Nothing yet', columns: [{ title: 'Task', type: 'TEXT_NUMBER', primary: true }] });
  const session = await world.api('POST', '/api/sessions', { sheet: String(result.id) });
  const { messages } = await world.api('POST', '/api/messages', { sessionId: session.id, content: 'edit' });
  const page = await open(browser, /http:\/\/[^\s)]+\/v\/[^\s)]+/.exec(messages[0].text)[0]);
  await live(page);
  await page.getByText('This sheet has no rows yet.').waitFor();
  assert.deepEqual(await faults(page), []);
  await page.click('#add');
  await page.getByRole('textbox', { name: 'Name of the new row' }).fill('The first');
  await page.keyboard.press('Enter');
  await row(page, 'The first').waitFor();
  await world.smartsheet('DELETE', `/sheets/${result.id}`);
  await until(page.locator('body'), async () => {
    await page.reload();
    return (await page.locator('h1').textContent()) === 'The sheet cannot be shown';
  });
  assert.match(await page.locator('main').textContent(), /not shared with me/);
  assert.deepEqual(await faults(page), []);
  await done(page);
});

story('options have tints, symbols their signs, and people their initials, from the first paint on', async () => {
  const options = ['Red', 'Yellow', 'Green'];
  const columns = [
    { title: 'Task', type: 'TEXT_NUMBER', primary: true }, { title: 'Health', type: 'PICKLIST', symbol: 'RYG', options },
    { title: 'Done', type: 'PICKLIST', symbol: 'HARVEY_BALLS', options: ['Empty', 'Quarter', 'Half', 'Three Quarter', 'Full'] },
    { title: 'Stage', type: 'MULTI_PICKLIST', options: ['Idea', 'Draft', 'Final'] }, { title: 'Owner', type: 'CONTACT_LIST' },
  ];
  const { result } = await world.smartsheet('POST', '/sheets', { name: 'Signs', columns });
  const id = (title) => result.columns.find((column) => column.title === title).id;
  const cells = (values) => Object.entries(values).map(([title, value]) => ({ columnId: id(title), value, strict: false }));
  const stages = { columnId: id('Stage'), objectValue: { objectType: 'MULTI_PICKLIST', values: ['Idea', 'Final'] } };
  await world.smartsheet('POST', `/sheets/${result.id}/rows`, [
    { toBottom: true, cells: [...cells({ Task: 'One', Health: 'Red', Done: 'Three Quarter', Owner: 'dana.reyes@example.com' }), stages] },
    { toBottom: true, cells: cells({ Task: 'Two', Health: 'Mauve', Done: 'Full' }) },
  ]);
  const session = await world.api('POST', '/api/sessions', { sheet: String(result.id) });
  const { messages } = await world.api('POST', '/api/messages', { sessionId: session.id, content: 'edit' });
  const there = /http:\/\/[^\s)]+\/v\/[^\s)]+/.exec(messages[0].text)[0];
  const chips = (page) => page.locator('.space .chip').evaluateAll((all) => all.map((chip) => `${chip.textContent}: ${chip.className} ${chip.dataset.sign}`.trim()));
  const plain = await open(browser, there, { javaScriptEnabled: false });
  const page = await open(browser, there);
  await live(page);
  const seen = await chips(page);
  assert.deepEqual(seen, await chips(plain));
  assert.deepEqual(seen.slice(0, 4), ['Red: chip tint-0 is-red ●', 'Three Quarter: chip tint-3 is-plain ◕', 'Idea: chip tint-0', 'Final: chip tint-2']);
  assert.match(seen[4], /^[^:]+: chip tint-\d [A-Z]{1,2}$/);
  assert.match(seen[5], /^Mauve: chip tint-\d$/, 'what is no option has a tint of its own');
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await faults(page), [], colorScheme);
  }
  if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/signs.png` });
  await plain.context().close();
  await done(page);
});

story('all links of a thread end when somebody says so', async () => {
  const page = await mine();
  await world.say('unshare');
  assert.equal((await fetch(link, { redirect: 'manual' })).status, 410);
  await (await cell(page, 'Style guide', 'Priority')).dblclick();
  await page.fill('.editor', 'Low');
  await page.keyboard.press('Enter');
  await unsaved(page, 'Type `view` or `edit` in the thread');
  await page.reload();
  await page.getByRole('heading', { name: 'This link does not work any more' }).waitFor();
  link = await world.link('edit');
  await done(page);
});
