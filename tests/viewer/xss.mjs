// Markup in names, columns and cells is text, wherever the page shows it: 200 kinds of it, and none runs.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { faults, fine, launch, live, open } from './browser.mjs';
import { World } from './world.mjs';

const SCRIPTS = [
  '<script>alert(1)</script>', '<img src=x onerror=alert(1)>', '<svg onload=alert(1)>', '<iframe srcdoc="<script>parent.alert(1)</script>">',
  '<body onload=alert(1)>', '<details open ontoggle=alert(1)>', '<a href="javascript:alert(1)" autofocus onfocus=alert(1)>x</a>',
  '<input autofocus onfocus=alert(1)>', '<math><mtext><img src=x onerror=alert(1)></mtext></math>', '<object data="javascript:alert(1)">',
  '<embed src="javascript:alert(1)">', '<form action="javascript:alert(1)"><button autofocus>x</button></form>', '<video><source onerror=alert(1)></video>',
  '<style>@import "javascript:alert(1)"</style>', '<link rel=stylesheet href="data:,*{x:1}" onload=alert(1)>', '<meta http-equiv=refresh content="0;javascript:alert(1)">',
  '<base href="javascript:alert(1)//">', '<template><script>alert(1)</script></template>', '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
  '{{constructor.constructor("alert(1)")()}}',
];
const AROUND = [
  (s) => s, (s) => `">${s}`, (s) => `'>${s}`, (s) => `</title></textarea></script>${s}`, (s) => `<!--${s}-->${s}`, (s) => `]]>${s}`,
  (s) => s.replaceAll('<', '<\u0000'), (s) => s.toUpperCase().replaceAll('ALERT', 'alert'), (s) => `\u202e${s}`, (s) => `**${s}** [x](javascript:alert(1)) \`${s}\``,
];
const PAYLOADS = SCRIPTS.flatMap((script) => AROUND.map((around) => around(script)));

let world, browser;

before(async () => {
  world = await World.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  world?.end();
});

const FOREIGN = 'main img, main script, main svg, main iframe, main object, main embed, main style, main link, main form:not(#talk form), main math, main video';

/** A sheet with these columns, opened by a link for editing. */
async function sheetOf(name, titles) {
  const columns = titles.map((title, i) => ({ title, type: 'TEXT_NUMBER', primary: i === 0 }));
  const { result } = await world.smartsheet('POST', '/sheets', { name, columns });
  await world.smartsheet('POST', `/sheets/${result.id}/rows`, [{ toBottom: true, cells: [{ columnId: result.columns[0].id, value: 'x' }] }]);
  world.session = await world.api('POST', '/api/sessions', { sheet: String(result.id) });
  const page = await open(browser, await world.link('edit'));
  await live(page);
  return page;
}

test('titles of columns are text: in the head, in the menu, in filters', { timeout: 60_000 }, async () => {
  // A title has 50 characters, and is there once.
  const titles = PAYLOADS.map((text, i) => `${i} ${text.replaceAll('\u0000', '')}`.slice(0, 50));
  const page = await sheetOf('Columns', titles);
  await page.click('#filter');
  await page.click('#columns summary');
  assert.equal(await page.locator('#columns li').count(), 200);
  const shown = await page.locator('#columns li').allTextContents();
  for (const title of titles) assert.ok(shown.some((text) => text.includes(title.trim())), `shown as it is: ${title}`);
  for (let left = 0; left < 200 * 160; left += 600) {
    await page.locator('#grid').evaluate((grid, x) => new Promise((painted) => requestAnimationFrame(painted, (grid.scrollLeft = x))), left);
    assert.equal(await page.locator(`${FOREIGN}, #columns img, #columns script, #columns svg, #columns iframe`).count(), 0);
  }
  fine(page);
  await page.context().close();
});

test('names of sheets are text', { timeout: 60_000 }, async () => {
  for (const script of SCRIPTS) {
    const page = await sheetOf(`">${script}`.slice(0, 50), ['Name']);
    assert.equal(await page.locator('h1').textContent(), `">${script}`.slice(0, 50).trim());
    assert.equal(await page.locator(`h1 *, ${FOREIGN}`).count(), 0);
    fine(page);
    await page.context().close();
  }
});

test('no markup of a sheet runs or is seen as markup', { timeout: 120_000 }, async () => {
  assert.equal(PAYLOADS.length, 200);
  const title = (n) => PAYLOADS[n].slice(0, 50);
  const sheet = await world.smartsheet('POST', '/sheets', {
    name: PAYLOADS[10].slice(0, 50),
    columns: [
      { title: title(1), type: 'TEXT_NUMBER', primary: true }, { title: title(20), type: 'PICKLIST', options: PAYLOADS.slice(0, 20) },
      { title: title(30), type: 'CONTACT_LIST' }, { title: title(40), type: 'TEXT_NUMBER' }, { title: title(50), type: 'TEXT_NUMBER' },
      { title: 'Status', type: 'PICKLIST', options: ['Open', 'Done'] },
    ],
  });
  const { id, columns } = sheet.result;
  const rows = PAYLOADS.map((text, i) => ({
    toBottom: true,
    cells: [
      { columnId: columns[0].id, value: text }, { columnId: columns[1].id, value: PAYLOADS[i % 20], strict: false },
      { columnId: columns[2].id, objectValue: { objectType: 'CONTACT', email: `p${i}@example.com`, name: text } },
      { columnId: columns[3].id, value: `javascript:alert(${i})` },
      { columnId: columns[4].id, value: text, hyperlink: { url: 'javascript:alert(1)' } }, { columnId: columns[5].id, value: 'Open' },
    ],
  }));
  await world.smartsheet('POST', `/sheets/${id}/rows`, rows);
  world.session = await world.api('POST', '/api/sessions', { sheet: String(id) });
  const link = await world.link('edit');
  const plain = await open(browser, link, { javaScriptEnabled: false });
  assert.equal(await plain.locator('.space img, .space script, .space svg, .space iframe, h1 *').count(), 0);
  await plain.context().close();
  const page = await open(browser, link);
  await live(page);
  assert.equal(await page.locator('#count').textContent(), '200 rows');
  const shown = new Set();
  for (let top = 0; top <= 200 * 32; top += 400) {
    await page.locator('#grid').evaluate((grid, y) => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted), (grid.scrollTop = y))), top);
    assert.equal(await page.locator(FOREIGN).count(), 0);
    for (const text of await page.locator('.space .primary').allTextContents()) shown.add(text);
  }
  const stored = (await world.smartsheet('GET', `/sheets/${id}`)).rows.map((r) => r.cells[0].value);
  for (const text of stored) assert.ok(shown.has(text), `shown as it is: ${JSON.stringify(text)}`);
  assert.equal(await page.locator('a[href^="javascript"]').count(), 0);
  await page.locator('.space [role=rowheader]').first().click();
  assert.equal(await page.locator('dialog img, dialog script, dialog svg').count(), 0);
  await page.keyboard.press('Escape');
  // A proposal, its old and new values, and the words in the conversation.
  const first = (await world.smartsheet('GET', `/sheets/${id}`)).rows[0].id;
  const change = await world.api('PATCH', `/api/smartsheet/${id}/rows/${first}`, { cells: { [title(40)]: PAYLOADS[77] } });
  assert.equal(change.status, 'written');
  await page.locator('#changed').waitFor();
  await world.say('set Status to "Done" for everything that is Open');
  await page.locator('.proposal tbody tr').first().waitFor();
  const lines = await page.locator('.proposal tbody th').allTextContents();
  assert.equal(lines.length, 200);
  assert.ok(lines.filter((text) => text.includes('alert(1)')).length > 150, 'labels are seen as they are');
  assert.equal(await page.locator('#work img, #work script, #work svg, #work iframe, #work style').count(), 0);
  await page.click('#chat');
  await page.getByLabel('Message to the bot').fill(`${PAYLOADS[9]} how many rows?`);
  await page.keyboard.press('Enter');
  await page.locator('.message').first().waitFor();
  await page.click('#columns summary');
  await page.locator('#columns li').first().waitFor();
  await page.goto(`${page.url().split('?')[0].split('#')[0]}/print`);
  assert.equal(await page.locator('td img, td script, td svg, th img').count(), 0);
  assert.deepEqual(await faults(page), []);
  fine(page);
});
