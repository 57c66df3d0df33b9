//! How much memory SQLite holds. rusqlite has no safe call for it, so this crate has the one that the rest of the program may not write.

/// Bytes of heap that SQLite holds in this process, of all connections together
/// (<https://sqlite.org/c3ref/memory_highwater.html>). Takes some 20 ns.
pub fn used() -> u64 {
    // SAFETY: the function takes nothing and may be called from every thread at any time, also before SQLite is initialized.
    let bytes = unsafe { libsqlite3_sys::sqlite3_memory_used() };
    u64::try_from(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn reading_it_needs_no_connection() {
        assert!(super::used() < 1 << 40);
    }
}
