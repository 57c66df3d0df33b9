-- Tickets of live connections that were used, until they end by themselves: each opens one, whichever process it comes to.
CREATE TABLE used_tickets (
    hash     TEXT PRIMARY KEY,
    until_ms BIGINT NOT NULL
);
CREATE INDEX used_tickets_until ON used_tickets (until_ms);
