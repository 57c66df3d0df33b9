//! From text to tree: one `SELECT`, of a bounded size, with the few forms that sqlparser does not read.

use super::{SqlError, refused};
use sqlparser::ast::{Query, Statement};
use sqlparser::dialect::SQLiteDialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, Tokenizer, Word};

/// The longest text that is looked at.
const MAX_CHARS: usize = 8_000;
/// Long chains of operators make deep trees; this keeps them within the stack.
const MAX_TOKENS: usize = 600;

/// What may follow `IS` or `IS NOT` for sqlparser.
const AFTER_IS: [&str; 9] = ["NULL", "NOT", "TRUE", "FALSE", "UNKNOWN", "DISTINCT", "JSON", "NORMALIZED", "NFC"];

pub(super) fn parse(sql: &str) -> Result<Box<Query>, SqlError> {
    if sql.chars().count() > MAX_CHARS {
        return refused(format!("the query is longer than {MAX_CHARS} characters"));
    }
    let tokens = Tokenizer::new(&SQLiteDialect {}, sql).tokenize().map_err(unreadable)?;
    let tokens: Vec<Token> = tokens.into_iter().filter(|t| !matches!(t, Token::Whitespace(_))).collect();
    if tokens.len() > MAX_TOKENS {
        return refused(format!("the query has more than {MAX_TOKENS} words and signs; make it simpler"));
    }
    let mut statements =
        Parser::new(&SQLiteDialect {}).with_tokens(as_sqlparser_reads_it(tokens)).parse_statements().map_err(unreadable)?;
    match (statements.pop(), statements.is_empty()) {
        (Some(Statement::Query(query)), true) => Ok(query),
        (Some(Statement::Query(_)), false) => refused("write exactly one SELECT statement"),
        _ => refused("only one SELECT statement is allowed; use the propose_* functions for changes"),
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
