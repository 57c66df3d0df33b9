// Drives the Smartsheet stand-in with the official SDK for Node.js: reading, writing, columns, comments, search, errors.
import assert from 'node:assert/strict';
import smartsheet from 'smartsheet';

const baseUrl = process.env.SMARTSHEET_API_BASE_URL.replace(/\/?$/, '/');
const client = smartsheet.createClient({ accessToken: process.env.SMARTSHEET_ACCESS_TOKEN, baseUrl });
const refused = (call) => call.then(() => assert.fail('it must be refused'), (error) => error.errorCode ?? error.statusCode);

const me = await client.users.getCurrentUser();
assert.equal(me.email, 'lee.park@example.com');
const { data: sheets } = await client.sheets.listSheets({ queryParameters: { includeAll: true } });
const planId = sheets.find((s) => s.name === 'Project Plan').id;
const plan = await client.sheets.getSheet({ id: planId });
assert.deepEqual([plan.totalRowCount, plan.rows.length], [42, 42]);
assert.equal((await client.sheets.getSheetVersion({ sheetId: planId })).version, plan.version);
const column = Object.fromEntries(plan.columns.map((c) => [c.title, c.id]));

const parentId = plan.rows.find((r) => r.cells[0].value === 'Phase 3: Build').id;
const cell = (title, value) => ({ columnId: column[title], value });
const row = { parentId, toBottom: true, cells: [cell('Task Name', 'From Node.js'), cell('Status', 'Blocked')] };
const { result: made } = await client.sheets.addRow({ sheetId: planId, body: row });
const rowId = (Array.isArray(made) ? made[0] : made).id;
await client.sheets.updateRow({ sheetId: planId, body: [{ id: rowId, cells: [cell('Due Date', '2026-12-24')] }] });
const read = await client.sheets.getRow({ sheetId: planId, rowId });
assert.ok(read.parentId === parentId && read.cells.some((c) => c.value === '2026-12-24'));
assert.equal(await refused(client.sheets.updateRow({ sheetId: planId, body: [{ id: rowId, cells: [cell('Status', 'Nonsense')] }] })), 1042);

const risk = { title: 'Risk', type: 'PICKLIST', options: ['Low', 'High'], index: 3 };
const { result: added } = await client.sheets.addColumn({ sheetId: planId, body: risk });
const columnId = (Array.isArray(added) ? added[0] : added).id;
const { result: renamed } = await client.sheets.updateColumn({ sheetId: planId, columnId, body: { title: 'Danger' } });
assert.equal(renamed.title, 'Danger');
await client.sheets.deleteColumn({ sheetId: planId, columnId });

const comment = { comment: { text: 'Hello' } };
const { result: discussion } = await client.sheets.createRowDiscussion({ sheetId: planId, rowId, body: comment });
assert.equal(discussion.title, 'Hello');
assert.equal((await client.sheets.getRowDiscussions({ sheetId: planId, rowId })).data.length, 1);
await client.sheets.deleteRow({ sheetId: planId, rowId });
assert.equal((await client.sheets.getSheet({ id: planId })).totalRowCount, 42);
assert.equal(await refused(client.sheets.getSheet({ id: 12 })), 1006);
console.log('the official SDK for Node.js drives the sandbox, all as documented');
