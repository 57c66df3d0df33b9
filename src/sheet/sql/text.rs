//! From text to tree: one `SELECT`, of a bounded size, with the few forms that sqlparser does not read.

use super::super::names::is_keyword;
use super::super::snapshot::Snapshot;
use super::{SqlError, refused};
use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, TokenizerError, Word};

/// The longest text that is looked at.
const MAX_CHARS: usize = 8_000;
/// Long chains of operators make deep trees; this keeps them within the stack.
const MAX_TOKENS: usize = 600;

/// What may follow `IS` or `IS NOT` for sqlparser.
const AFTER_IS: [&str; 9] = ["NULL", "NOT", "TRUE", "FALSE", "UNKNOWN", "DISTINCT", "JSON", "NORMALIZED", "NFC"];

pub(super) fn parse(sql: &str, snapshot: &Snapshot) -> Result<Box<Query>, SqlError> {
    if sql.chars().count() > MAX_CHARS {
        return refused(format!("the query is longer than {MAX_CHARS} characters"));
    }
    let tokens = tokens_of(sql).map_err(unreadable)?;
    if tokens.len() > MAX_TOKENS {
        return refused(format!("the query has more than {MAX_TOKENS} words and signs; make it simpler"));
    }
    let tokens = as_sqlparser_reads_it(with_whole_names(tokens, snapshot));
    let mut statements = Parser::new(&SQLiteDialect {}).with_tokens(tokens).parse_statements().map_err(unreadable)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(query),
        (Some(Statement::Query(_)), false) => refused("write exactly one SELECT statement"),
        _ => refused("only one SELECT statement is allowed; use the propose_* functions for changes"),
    }
}

fn tokens_of(text: &str) -> Result<Vec<Token>, TokenizerError> {
    let tokens = Tokenizer::new(&SQLiteDialect {}, text).tokenize()?;
    Ok(tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect())
}

/// A name of several words, as its tokens.
struct WholeName<'a> {
    name: &'a str,
    tokens: Vec<Token>,
    /// Whether it is the name of the sheet, which stands behind `FROM` and `JOIN` only.
    sheet: bool,
}

/// Titles of several words, and the name of the sheet, become one name each where they stand without quotes: `FROM Project Plan`,
/// `MAX(due date)`. The longest that fits is taken. A title with signs or words of SQL in it could as well be an expression, and is left.
fn with_whole_names(tokens: Vec<Token>, snapshot: &Snapshot) -> Vec<Token> {
    let title = |token: &Token| match token {
        Token::Word(word) => word.quote_style.is_none() && !is_keyword(&word.value),
        Token::Number(..) => true,
        _ => false,
    };
    let whole = |(name, sheet)| Some(WholeName { name, tokens: tokens_of(name).ok()?, sheet });
    let titles = snapshot.columns.iter().map(|column| (column.title.as_str(), false));
    let mut names: Vec<WholeName<'_>> = std::iter::once((snapshot.name.as_str(), true)).chain(titles).filter_map(whole).collect();
    names.retain(|n| n.tokens.len() > 1 && (n.sheet || n.tokens.iter().all(title)));
    names.sort_by_key(|n| std::cmp::Reverse(n.tokens.len()));
    let mut read = Vec::with_capacity(tokens.len());
    let mut rest = tokens.as_slice();
    while let Some(token) = rest.first() {
        let behind_from = read.last().is_some_and(|t| matches!(t, Token::Word(w) if matches!(w.keyword, Keyword::FROM | Keyword::JOIN)));
        let stands = |n: &&WholeName<'_>| {
            let here = rest.get(..n.tokens.len());
            n.sheet == behind_from && here.is_some_and(|here| here.iter().zip(&n.tokens).all(|(a, b)| are_alike(a, b)))
        };
        match names.iter().find(stands) {
            Some(found) => {
                read.push(Token::Word(Word { value: found.name.to_owned(), quote_style: Some('"'), keyword: Keyword::NoKeyword }));
                rest = &rest[found.tokens.len()..];
            }
            None => {
                read.push(token.clone());
                rest = &rest[1..];
            }
        }
    }
    read
}

fn are_alike(a: &Token, b: &Token) -> bool {
    match (a, b) {
        (Token::Word(a), Token::Word(b)) => a.quote_style.is_none() && a.value.to_lowercase() == b.value.to_lowercase(),
        _ => a == b,
    }
}

fn unreadable(error: impl std::fmt::Display) -> SqlError {
    let words = error.to_string();
    // Where in our tokens it stands says nothing to whoever wrote the text.
    let words = words.split(" at Line").next().unwrap_or_default().trim_start_matches("sql parser error: ");
    SqlError(format!("this SQL cannot be read: {words}"))
}

/// `x IS 'Done'` is `x IS NOT DISTINCT FROM 'Done'`, and `top` a column unless a number follows.
fn as_sqlparser_reads_it(tokens: Vec<Token>) -> Vec<Token> {
    let is = |token: Option<&Token>, words: &[&str]| matches!(token, Some(Token::Word(w)) if w.quote_style.is_none() && words.iter().any(|word| w.value.eq_ignore_ascii_case(word)));
    let mut read: Vec<Token> = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        let negated = is(next, &["NOT"]);
        let behind = if negated { tokens.get(at + 2) } else { next };
        if is(Some(token), &["IS"]) && behind.is_some() && !is(behind, &AFTER_IS) {
            let words: &[&str] = if negated { &["IS", "DISTINCT", "FROM"] } else { &["IS", "NOT", "DISTINCT", "FROM"] };
            read.extend(words.iter().map(|w| Token::make_keyword(w)));
            at += if negated { 2 } else { 1 };
            continue;
        }
        if is(Some(token), &["TOP"]) && !matches!(next, Some(Token::Number(..))) {
            read.push(Token::Word(Word { value: "top".into(), quote_style: Some('"'), keyword: Keyword::NoKeyword }));
        } else {
            read.push(token.clone());
        }
        at += 1;
    }
    read
}
