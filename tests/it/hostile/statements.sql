-- Out of the sheet: other databases, files, the catalogue, the settings of the engine.
ATTACH DATABASE 'elsewhere.db' AS elsewhere
DETACH DATABASE main
PRAGMA query_only = OFF
PRAGMA hard_heap_limit = 0
VACUUM INTO 'copy.db'
SELECT load_extension('evil')
SELECT readfile('/etc/hostname')
SELECT writefile('out.txt', name) FROM sheet
SELECT sql FROM sqlite_master
SELECT sql FROM sqlite_schema
SELECT * FROM main.sqlite_schema
SELECT * FROM sqlite_temp_schema
SELECT * FROM pragma_table_info('sheet')
SELECT * FROM pragma_compile_options
SELECT * FROM dbstat
SELECT * FROM sqlite_dbpage
SELECT * FROM json_each('[1,2,3]')
SELECT * FROM json_tree('{}')
SELECT * FROM generate_series(1, 1000000000)
SELECT * FROM fts3tokenize('simple', 'a b')
SELECT * FROM temp.sheet
SELECT * FROM other.sheet
SELECT (WITH json_each AS (SELECT 1 AS one) SELECT one FROM json_each), value FROM json_each('[1]')
SELECT * FROM (WITH dbstat AS (SELECT 1 AS a) SELECT a FROM dbstat) x, dbstat
SELECT * FROM (WITH sqlite_schema AS (SELECT 1 AS a) SELECT a FROM sqlite_schema) x, sqlite_schema
SELECT (WITH pragma_database_list AS (SELECT 1 AS a) SELECT a FROM pragma_database_list), * FROM pragma_database_list
WITH sqlite_master AS (SELECT 1 AS sql) SELECT sql FROM main.sqlite_master
SELECT "load_extension"('evil')
SELECT [load_extension]('evil')
SELECT `load_extension`('evil')
SELECT main.load_extension('evil')
SELECT count(*) FROM sheet ORDER BY load_extension('evil')
SELECT name FROM sheet LIMIT load_extension('evil')
SELECT sum(amount_2) OVER (ORDER BY load_extension('evil')) FROM sheet
SELECT count(*) FILTER (WHERE load_extension('evil')) FROM sheet
SELECT name FROM sheet GROUP BY load_extension('evil')
SELECT name FROM sheet a JOIN sheet b ON load_extension('evil') = 1
SELECT name COLLATE load_extension FROM sheet
SELECT CAST(load_extension('evil') AS TEXT)
SELECT sqlite_version()
SELECT sqlite_compileoption_get(1)
SELECT sqlite_source_id()
SELECT randomblob(1000000000)
SELECT zeroblob(1000000000)
SELECT last_insert_rowid(), changes(), total_changes()
SELECT fts3_tokenizer('simple')
SELECT edit(name) FROM sheet
SELECT sqlite_log(1, 'x')
SELECT name REGEXP '(a+)+$' FROM sheet
SELECT name MATCH 'a' FROM sheet
SELECT x'00112233'
SELECT json_group_array(name) FROM sheet
SELECT '{"a":1}' -> '$.a'
SELECT ?1, :name, @name, $name
-- Changes dressed up as questions.
DELETE FROM sheet
UPDATE sheet SET name = 'x'
INSERT INTO sheet (name) VALUES ('x')
REPLACE INTO sheet (name) VALUES ('x')
DROP TABLE sheet
ALTER TABLE sheet RENAME TO gone
CREATE TABLE t AS SELECT * FROM sheet
CREATE TEMP TRIGGER t AFTER INSERT ON sheet BEGIN SELECT 1; END
SELECT 1; DROP TABLE sheet
SELECT 1 --; DELETE FROM sheet
SELECT 1 /* ; */; DELETE FROM sheet
WITH x AS (DELETE FROM sheet RETURNING row_id) SELECT * FROM x
WITH x AS (INSERT INTO sheet (name) VALUES ('x') RETURNING 1) SELECT * FROM x
SELECT * INTO elsewhere FROM sheet
SELECT (UPDATE sheet SET name = 'x')
EXPLAIN SELECT name FROM sheet
EXPLAIN QUERY PLAN SELECT name FROM sheet
BEGIN; SELECT 1; COMMIT
SAVEPOINT a
REINDEX
ANALYZE
-- Time: joins without end, texts held against texts.
SELECT count(*) FROM sheet a, sheet b, sheet c
SELECT count(*) FROM sheet a, sheet b, sheet c, sheet d, sheet e, sheet f
SELECT sum(a.amount_2 * b.amount_2) FROM sheet a, sheet b, sheet c
SELECT count(*) FROM sheet a JOIN sheet b ON a.name LIKE '%' || b.name || '%'
SELECT count(*) FROM sheet a JOIN sheet b ON instr(a.name || a.name, b.name || b.name) = 0
SELECT max(a.name || b.name) FROM sheet a, sheet b
SELECT count(*) FROM sheet WHERE name NOT IN (SELECT b.name || c.name FROM sheet b, sheet c)
SELECT count(*) FROM sheet a WHERE EXISTS (SELECT 1 FROM sheet b, sheet c WHERE b.amount_2 + c.amount_2 = a.amount_2 + 0.123)
SELECT (SELECT count(*) FROM sheet b, sheet c WHERE b.amount_2 < a.amount_2 AND c.amount_2 < a.amount_2) FROM sheet a
SELECT instr(printf('%60000s', 'x'), printf('%30000s', 'y')) FROM sheet
SELECT instr(printf('%3900000s', 'x'), printf('%100000s', 'y'))
SELECT count(*) FROM sheet WHERE instr(printf('%60000s', row_id), printf('%30000s', -row_id)) > 0
SELECT printf('%400000s', 'x') LIKE '%' || printf('%4900s', '') || 'y%'
SELECT count(*) FROM sheet WHERE printf('%60000s', name) LIKE '%' || printf('%900s', '') || 'y%'
SELECT count(*) FROM sheet WHERE printf('%60000s', name) LIKE printf('%60000s', name)
SELECT count(*) FROM sheet WHERE name LIKE '%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%q'
SELECT replace(printf('%60000s', ''), printf('%30000s', ''), 'x') FROM sheet
SELECT replace(replace(replace(name, 'a', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaa'), 'a', 'aaaaaaaaaa') FROM sheet
SELECT trim(printf('%60000s', 'x'), printf('%60000s', 'x')) FROM sheet
SELECT ltrim(name, name) FROM sheet
SELECT lower(printf('%60000s', name)) = upper(printf('%60000s', name)) FROM sheet
SELECT power(9, power(9, power(9, 9)))
SELECT date(name, printf('%60000s', '+1 day')) FROM sheet
SELECT strftime(printf('%60000s', '%Y'), day_3) FROM sheet
SELECT round(amount_2, 1000000000) FROM sheet
-- Memory: large values, large sorts, large groups.
SELECT printf('%2000000000s', 'x')
SELECT length(printf('%.*c', 1000000000, 'x'))
SELECT length(printf('%.100000000f', 1.0))
SELECT format('%1000000000d', 1)
SELECT printf('%3900000s', name) FROM sheet
SELECT s FROM (SELECT printf('%60000s', row_id) AS s FROM sheet) ORDER BY s
SELECT length(s) FROM (SELECT printf('%60000s', a.row_id) AS s FROM sheet a, sheet b) ORDER BY s
SELECT count(DISTINCT printf('%60000s', row_id)) FROM sheet
SELECT count(*) FROM (SELECT printf('%60000s', row_id) AS s FROM sheet GROUP BY s)
SELECT count(*) FROM (SELECT printf('%60000s', row_id) FROM sheet UNION SELECT printf('%60000s', -row_id) FROM sheet)
SELECT count(*) FROM (SELECT a.name || b.name FROM sheet a, sheet b UNION SELECT a.name FROM sheet a)
SELECT max(printf('%60000s', row_id)) OVER () FROM sheet
SELECT length(max(s) OVER (PARTITION BY length(s))) FROM (SELECT printf('%60000s', row_id) AS s FROM sheet)
SELECT lag(printf('%60000s', row_id), 10000) OVER (ORDER BY row_id) FROM sheet
SELECT row_id FROM sheet ORDER BY printf('%60000s', name)
SELECT group_concat(printf('%60000s', row_id)) FROM sheet
SELECT group_concat(a.name) FROM sheet a, sheet b
SELECT string_agg(name, printf('%60000s', ',')) FROM sheet
SELECT median(a.amount_2) FROM sheet a, sheet b
SELECT stddev(a.amount_2 + b.amount_2) FROM sheet a, sheet b, sheet c
SELECT a.* FROM sheet a, sheet b
SELECT a.*, b.*, c.* FROM sheet a, sheet b, sheet c ORDER BY a.name
SELECT a.row_id, b.row_id FROM sheet a, sheet b ORDER BY a.amount_2 * b.amount_2
SELECT a.name, count(*) FROM sheet a, sheet b GROUP BY a.name, b.name
WITH x AS (SELECT a.name || b.name AS n FROM sheet a, sheet b) SELECT count(*) FROM x x1 JOIN x x2 ON x1.n = x2.n
WITH a AS (SELECT name || name AS n FROM sheet), b AS (SELECT n || n AS n FROM a), c AS (SELECT n || n AS n FROM b), d AS (SELECT n || n AS n FROM c) SELECT n FROM d ORDER BY n
WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t
WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t LIMIT 100000) SELECT length(printf('%60000s', x)) FROM t ORDER BY 1
WITH t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t) SELECT count(*) FROM t
SELECT sum(x) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM (SELECT a.amount_2 AS x FROM sheet a, sheet b)
