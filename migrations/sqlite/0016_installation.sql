-- Who this installation is to Smartsheet: what it writes is told apart from what other installations write.
CREATE TABLE installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL
);
