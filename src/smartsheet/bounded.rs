//! Answers of a bounded size: what Smartsheet sends is read up to a limit, counted as it is after inflation.

use std::io::{Error, ErrorKind, Read, Result};

/// More bytes without a quotation mark than any value can have: a cell holds 4,000 characters.
const LONGEST_VALUE: usize = 1 << 20;

/// Reads up to a number of bytes, and no value that is too long to be one of a sheet.
pub(super) struct Bounded<R> {
    inner: R,
    left: u64,
    since_quote: usize,
}

impl<R> Bounded<R> {
    pub fn new(inner: R, most: u64) -> Self {
        Self { inner, left: most, since_quote: 0 }
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let n = self.inner.read(buffer)?;
        let Some(left) = self.left.checked_sub(n as u64) else { return Err(ErrorKind::FileTooLarge.into()) };
        self.left = left;
        // A mark is found within a few bytes, so this costs next to nothing.
        self.since_quote = if buffer[..n].contains(&b'"') { 0 } else { self.since_quote + n };
        if self.since_quote > LONGEST_VALUE {
            return Err(Error::new(ErrorKind::FileTooLarge, "a value is longer than a cell can be"));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8], most: u64) -> Option<ErrorKind> {
        Bounded::new(text, most).read_to_end(&mut Vec::new()).err().map(|e| e.kind())
    }

    #[test]
    fn neither_the_whole_nor_a_value_is_larger_than_it_can_be() {
        assert_eq!(read(b"[1, 2]", 6), None);
        assert_eq!(read(b"[1, 2]", 5), Some(ErrorKind::FileTooLarge));
        let long = format!("\"{}\"", "x".repeat(LONGEST_VALUE * 2));
        assert_eq!(read(long.as_bytes(), u64::MAX), Some(ErrorKind::FileTooLarge));
        let many = "\"abc\", ".repeat(LONGEST_VALUE);
        assert_eq!(read(many.as_bytes(), u64::MAX), None);
    }
}
