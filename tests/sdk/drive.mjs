// Drives the Smartsheet stand-in with the official SDK for Node.js: reading, writing, columns, comments, history, attachments, rows that
// go to another sheet, sorting, CSV, errors.
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
const commentId = discussion.comments[0].id;
const { result: edited } = await client.sheets.editComment({ sheetId: planId, commentId, body: { text: 'Hello again' } });
assert.equal(edited.text, 'Hello again');
await client.sheets.deleteDiscussion({ sheetId: planId, discussionId: discussion.id });
assert.equal((await client.sheets.getRowDiscussions({ sheetId: planId, rowId })).data.length, 0);

const history = await client.sheets.getCellHistory({ sheetId: planId, rowId, columnId: column['Due Date'] });
assert.equal(history.data[0].value, '2026-12-24');
const link = { name: 'Brief', attachmentType: 'LINK', url: 'https://example.com/brief' };
const { result: attached } = await client.sheets.addRowUrlAttachment({ sheetId: planId, rowId, body: link });
assert.equal((await client.sheets.getAttachment({ sheetId: planId, attachmentId: attached.id })).url, link.url);
assert.equal((await client.sheets.listAttachments({ sheetId: planId })).totalCount, 1);

const otherId = sheets.find((s) => s.name === 'Budget 2026').id;
const before = (await client.sheets.getSheet({ id: otherId })).totalRowCount;
const to = { rowIds: [rowId], to: { sheetId: otherId } };
const copied = await client.sheets.copyRowToAnotherSheet({ sheetId: planId, body: to });
assert.deepEqual([copied.destinationSheetId, copied.rowMappings[0].from], [otherId, rowId]);
await client.sheets.moveRowToAnotherSheet({ sheetId: planId, body: to });
assert.equal((await client.sheets.getSheet({ id: otherId })).totalRowCount, before + 2);
assert.equal((await client.sheets.listAttachments({ sheetId: planId })).totalCount, 0);

const newSheet = { destinationType: 'workspace', destinationId: (await client.workspaces.listWorkspaces()).data[0].id, newName: 'Copy' };
const { result: copy } = await client.sheets.copySheet({ sheetId: planId, body: newSheet, queryParameters: { include: 'data' } });
const copyColumns = (await client.sheets.getColumns({ sheetId: copy.id })).data;
const sortCriteria = [{ columnId: copyColumns[0].id, direction: 'DESCENDING' }];
const sorted = await client.sheets.sortRowsInSheet({ sheetId: copy.id, body: { sortCriteria } });
const outermost = sorted.rows.filter((r) => !r.parentId).map((r) => r.cells[0].value);
assert.deepEqual(outermost, [...outermost].sort().reverse());
assert.equal(sorted.rows.length, 42);
const csv = String(await client.sheets.getSheetAsCSV({ id: copy.id }));
assert.equal(csv.split('\r\n')[0], plan.columns.map((c) => c.title).join(','));
await client.sheets.deleteSheet({ sheetId: copy.id });
assert.equal((await client.sheets.getSheet({ id: planId })).totalRowCount, 42);
assert.equal(await refused(client.sheets.getSheet({ id: 12 })), 1006);
assert.equal(await refused(client.sheets.getSheet({ id: 'abc' })), 1018);
console.log('the official SDK for Node.js drives the sandbox, all as documented');
