//! Settings about people of whom nobody tells where they are.

use super::reader::Reader;
use crate::locality::{Locale, Told};

pub(super) fn usual(r: &mut Reader<'_>) -> Told {
    let (zone, tag) = (r.text("TIME_ZONE"), r.text("LOCALE"));
    let told = Told::read(zone.as_deref(), tag.as_deref());
    if zone.is_some() && told.zone.is_none() {
        r.fault("TIME_ZONE", "expected a name of the IANA time zone database, such as Europe/Berlin");
    }
    if tag.as_deref().is_some_and(|tag| Locale::read(tag).is_none()) {
        r.fault("LOCALE", "expected a language and a country, such as de-DE or en-US");
    }
    told
}
