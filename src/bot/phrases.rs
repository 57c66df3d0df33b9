//! The fixed words that are commands, in the languages that people type them in.

use super::commands::Command;

/// Words and the command that they are.
type Phrase = (&'static [&'static str], fn() -> Command);

/// All of them, in small letters and without a sign at the end.
const PHRASES: &[Phrase] = &[
    (
        &["", "help", "help me", "what can you do", "how does this work", "commands", "hilfe", "ayuda", "aide", "aiuto", "ヘルプ", "帮助"],
        || Command::Help,
    ),
    (&["status", "what is going on", "which sheet is this", "which sheet"], || Command::Status),
    (
        &[
            "stop",
            "abort",
            "stop it",
            "stop that",
            "stop this",
            "stop now",
            "stop the job",
            "stop my job",
            "stop the jobs",
            "halt",
            "stopp",
            "hör auf",
            "arrête",
            "arrête ça",
            "para",
            "basta",
        ],
        || Command::Stop,
    ),
    (
        &[
            "undo",
            "undo that",
            "undo it",
            "undo this",
            "undo the change",
            "undo my change",
            "undo my changes",
            "undo your change",
            "undo the last change",
            "undo last change",
            "undo my last change",
            "undo your last change",
            "revert",
            "revert that",
            "revert it",
            "revert the change",
            "revert the last change",
            "revert the change you just made",
            "undo the change you just made",
            "undo what you just did",
            "take that back",
            "take it back",
            "take this back",
            "rückgängig",
            "rückgängig machen",
            "mach das rückgängig",
            "mach es rückgängig",
            "mach das wieder rückgängig",
            "nimm das zurück",
            "zurücknehmen",
            "défaire",
            "défais ça",
            "annule la dernière modification",
            "annule ça",
            "deshacer",
            "deshazlo",
            "deshaz eso",
            "deshaz el cambio",
            "元に戻す",
            "撤销",
        ],
        || Command::Undo,
    ),
    (&["sheets", "list sheets", "my sheets", "blätter", "feuilles", "hojas"], || Command::Sheets),
    (
        &[
            "view",
            "open",
            "open the sheet",
            "show the sheet",
            "view the sheet",
            "show me the sheet",
            "link",
            "ansehen",
            "öffnen",
            "zeig mir das blatt",
            "zeig das blatt",
            "ouvrir",
            "abrir",
        ],
        || Command::View,
    ),
    (&["edit", "edit the sheet", "edit link", "bearbeiten", "modifier", "editar"], || Command::Edit),
    (&["unshare", "revoke links", "end links"], || Command::Unshare),
    (&["connect", "connect my account", "log in", "login", "sign in", "anmelden"], || Command::Connect),
    (&["disconnect", "disconnect my account", "log out", "logout", "sign out", "abmelden"], || Command::Disconnect),
    (&["jobs", "my jobs", "list jobs"], || Command::Jobs),
    (&["use", "use sheet"], || Command::Use(String::new())),
    (
        &[
            "why",
            "how do you know",
            "how do you know that",
            "how did you get that",
            "show the query",
            "show sql",
            "warum",
            "pourquoi",
            "por qué",
        ],
        || Command::Why,
    ),
    (&["confirm", "approve", "bestätigen", "confirmer", "confirmar", "conferma", "確認", "确认"], || Command::Confirm),
    (&["yes", "yep", "yeah", "ja", "oui", "sí", "si", "sì", "はい", "是"], || Command::Yes),
    (&["cancel", "abbrechen", "brich ab", "annule", "annuler", "cancela", "cancelar", "annulla", "キャンセル", "取消"], || {
        Command::Cancel
    }),
    (&["no", "nope", "nein", "non", "いいえ"], || Command::No),
];

/// The command that fixed words are.
pub(super) fn command(bare: &str) -> Option<Command> {
    PHRASES.iter().find(|(words, _)| words.contains(&bare)).map(|(_, command)| command())
}

#[cfg(test)]
mod tests {
    use super::super::commands::parse;
    use super::super::speech::SmallTalk;
    use super::*;

    #[test]
    fn each_phrase_is_one_command_in_small_letters() {
        let all: Vec<&str> = PHRASES.iter().flat_map(|(words, _)| words.iter().copied()).collect();
        for (at, words) in all.iter().enumerate() {
            assert!(!all[..at].contains(words), "{words} stands there twice");
            assert_eq!(words.to_lowercase(), *words);
        }
        assert_eq!(command("rückgängig"), Some(Command::Undo));
        assert_eq!(command("oui"), Some(Command::Yes));
        assert_eq!(command("undo the budget"), None);
    }

    /// However somebody talks around the fixed words, they are what is wanted.
    #[test]
    fn fixed_words_are_commands_among_how_people_talk() {
        let around = [
            ": {}",
            "hey {}",
            "hey , {}!",
            "hi, {}",
            "hello {} please",
            "please {}",
            "{}, thanks",
            "ok {}",
            "- {}",
            "Good morning! {}.",
            "thanks, {}",
            "well, {}",
            "hey bot, {}!",
            "hey bot {}",
            "Guten Morgen, {}",
        ];
        for (words, command) in PHRASES {
            for (word, form) in words.iter().filter(|word| !word.is_empty()).flat_map(|word| around.iter().map(move |form| (word, form))) {
                let said = form.replace("{}", word);
                assert_eq!(parse(&said), Some(command()), "{said}");
            }
        }
        assert_eq!(parse("thanks for the help"), Some(Command::SmallTalk(SmallTalk::Thanks)));
    }
}
