//! Messages as a model, a sheet or an attacker may make them: every adapter renders them within its platform's limits.

use chat::{Align, Block, Button, ButtonStyle, Column, LinkPolicy, Markdown, Progress, TableBlock, TableCell};
use proptest::prelude::*;

/// The blocks of a message. Links to `a.test` are allowed, those to `b.test` are not.
pub fn blocks() -> impl Strategy<Value = Vec<Block>> {
    prop::collection::vec(any_block(), 0..7)
}

fn any_block() -> impl Strategy<Value = Block> {
    let text = "[\\PC\n]{0,3500}";
    let cell = "\\PC{0,400}".prop_map(TableCell::plain);
    let table = (1usize..30, prop::collection::vec(prop::collection::vec(cell, 0..30), 0..130)).prop_map(|(columns, rows)| {
        let columns = (0..columns).map(|i| Column { title: format!("column {i}"), align: Align::Left }).collect();
        let total = rows.len();
        Block::Table(TableBlock { columns, rows, total })
    });
    let button = ("\\PC{0,120}", "[a-z:0-9-]{1,64}").prop_map(|(label, action)| Button { label, action, style: ButtonStyle::Danger });
    prop_oneof![
        text.prop_map(|t| Block::Markdown(Markdown::ours(&t))),
        text.prop_map(|t| Block::Note(Markdown::ours(&t))),
        markup().prop_map(|t| Block::Markdown(Markdown::untrusted(
            &t,
            &LinkPolicy { hosts: ["a.test".to_owned()].into(), ..LinkPolicy::default() }
        ))),
        "\\PC{0,300}".prop_map(|alt| Block::Image { url: "https://charts.test/1.png".parse().unwrap(), alt }),
        table,
        prop::collection::vec(button, 1..60).prop_map(Block::Buttons),
        ("\\PC{0,500}", 0u64..50, 0u64..40).prop_map(|(label, done, total)| Block::Progress(Progress { label, done, total })),
    ]
}

/// Text as a model or an attacker may write it: pieces of markup in any order.
fn markup() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "**",
        "_",
        "`",
        "```\n",
        "# ",
        "- ",
        "1. ",
        "> ",
        "[x](https://a.test/b)",
        "[x](https://b.test)",
        "![i](https://a.test/i.png)",
        "<!channel>",
        "<@U1>",
        "<https://b.test|go>",
        "&amp;",
        "&",
        "<",
        ">",
        "\n\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "@here",
        "wort ",
        "🗼",
    ]);
    prop::collection::vec(piece, 0..1200).prop_map(|pieces| pieces.concat())
}
