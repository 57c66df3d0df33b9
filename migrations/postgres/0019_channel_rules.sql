-- What admins have decided of a channel: whether answers are for the asker alone, and whether only the sheets below may be used there.
CREATE TABLE channels (
    channel    TEXT PRIMARY KEY,
    only_me    BOOLEAN NOT NULL DEFAULT FALSE,
    restricted BOOLEAN NOT NULL DEFAULT FALSE
);
-- The sheets, and the workspaces with all their sheets, that may be used in a restricted channel.
CREATE TABLE channel_sheets (
    channel TEXT NOT NULL,
    kind    TEXT NOT NULL,
    id      TEXT NOT NULL,
    name    TEXT NOT NULL,
    PRIMARY KEY (channel, kind, id)
);
-- Sheets of which deletions, and changes of more than so many rows, need the OK of somebody who is named (JSON).
CREATE TABLE approvals (
    sheet_id  TEXT PRIMARY KEY,
    over_rows BIGINT NOT NULL,
    approvers JSONB NOT NULL
);
