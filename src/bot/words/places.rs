//! What people are told where the bot cannot speak.

use chat::Platform;

pub(in crate::bot) fn cannot_share_here() -> &'static str {
    "I cannot post here. Invite me to this channel, then press the button once more."
}

pub(in crate::bot) fn cannot_post_here() -> &'static str {
    "I cannot post there, so I did not ask anybody. Invite me to that channel (on most platforms by mentioning me), then ask once more."
}

/// Said before everybody to whoever cannot be told something alone; what they asked for is done.
pub(in crate::bot) fn cannot_whisper(platform: Platform) -> &'static str {
    match platform {
        Platform::Telegram => "I answer that to you alone, but may not write to you yet: open a chat with me, press Start, and ask again.",
        Platform::Teams => {
            "I answer that to you alone, but may not write to you yet: add the app for yourself (Apps in Teams), and ask again."
        }
        _ => "I answer that to you alone, but may not write to you: allow direct messages from me, and ask again.",
    }
}
