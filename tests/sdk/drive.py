"""Drives the Smartsheet stand-in with the official SDK: reading, writing, columns, comments, search, errors."""
import os
import smartsheet

client = smartsheet.Smartsheet(os.environ["SMARTSHEET_ACCESS_TOKEN"], api_base=os.environ["SMARTSHEET_API_BASE_URL"])
client.errors_as_exceptions(True)

assert client.Users.get_current_user().email == "lee.park@example.com"
sheets = client.Sheets.list_sheets(include_all=True).data
assert len(sheets) == 9, [s.name for s in sheets]
plan = client.Sheets.get_sheet(next(s.id for s in sheets if s.name == "Project Plan"))
assert plan.total_row_count == 42 and len(plan.rows) == 42 and plan.version == 1
assert len(client.Sheets.get_sheet(plan.id, page_size=10, page=2).rows) == 10
columns = {c.title: c.id for c in plan.columns}
parent = next(r for r in plan.rows if r.cells[0].value == "Phase 3: Build")


def cell(title, value, strict=True):
    new = smartsheet.models.Cell()
    new.column_id, new.value, new.strict = columns[title], value, strict
    return new


row = smartsheet.models.Row()
row.parent_id, row.to_bottom = parent.id, True
row.cells.append(cell("Task Name", "From the SDK"))
row.cells.append(cell("Status", "Blocked"))
added = client.Sheets.add_rows(plan.id, [row])
assert added.message == "SUCCESS" and added.version == 2, added
made = added.result[0]

change = smartsheet.models.Row()
change.id = made.id
change.cells.append(cell("Due Date", "2026-12-24"))
assert client.Sheets.update_rows(plan.id, [change]).version == 3
read = client.Sheets.get_row(plan.id, made.id)
assert any(c.value == "2026-12-24" for c in read.cells) and read.parent_id == parent.id

wrong = smartsheet.models.Row()
wrong.id = made.id
wrong.cells.append(cell("Status", "Nonsense"))
try:
    client.Sheets.update_rows(plan.id, [wrong])
    raise SystemExit("a value off the list must be refused")
except smartsheet.exceptions.ApiError as error:
    assert error.error.result.error_code == 1042, error
partial = client.Sheets.update_rows_with_partial_success(plan.id, [change, wrong])
assert partial.message == "PARTIAL_SUCCESS" and len(partial.failed_items) == 1, partial

column = smartsheet.models.Column({"title": "Risk", "type": "PICKLIST", "options": ["Low", "High"], "index": 3})
new_column = client.Sheets.add_columns(plan.id, [column]).result[0]
renamed = client.Sheets.update_column(plan.id, new_column.id, smartsheet.models.Column({"title": "Danger"})).result
assert renamed.title == "Danger"
client.Sheets.delete_column(plan.id, new_column.id)

discussion = smartsheet.models.Discussion({"comment": {"text": "Hello"}})
assert client.Discussions.create_discussion_on_row(plan.id, made.id, discussion).result.title == "Hello"
assert client.Discussions.get_row_discussions(plan.id, made.id).data
found = client.Search.search_sheet(plan.id, "From the SDK").results
assert found and found[0].object_id == made.id
deleted = client.Sheets.delete_rows(plan.id, [made.id])
assert deleted.message == "SUCCESS" and client.Sheets.get_sheet(plan.id).total_row_count == 42, deleted
try:
    client.Sheets.get_sheet(12)
    raise SystemExit("an unknown sheet must be refused")
except smartsheet.exceptions.ApiError as error:
    assert error.error.result.error_code == 1006
print("the official SDK drives the sandbox: 15 calls, all as documented")
