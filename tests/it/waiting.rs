//! Questions that wait until their thread has a sheet.

use crate::platforms::{settle, world};
use crate::world::World;
use sandbox::{slack, telegram};

fn last_in_slack(world: &World) -> String {
    world.slack.messages().iter().rev().find(|m| m.user == slack::BOT_USER).map(slack::Posted::seen).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn which_sheet_is_asked_once_in_a_thread() {
    let world = world().await;
    let root = world.slack.say("C1", "U1", "<@UBOT> which tasks are blocked?", None).await.ts;
    settle(&world).await;
    assert!(last_in_slack(&world).contains("Which sheet"), "{}", last_in_slack(&world));
    let shown = world.slack.messages().len();
    world.slack.say("C1", "U2", "I guess those of Omar", Some(&root)).await;
    settle(&world).await;
    assert_eq!(world.slack.messages().len(), shown + 1, "it is not asked again");
    world.slack.press("C1", "U1", "Project Plan").await;
    settle(&world).await;
    assert!(last_in_slack(&world).contains("blocked") || last_in_slack(&world).contains("Blocked"), "{}", last_in_slack(&world));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_of_a_question_that_waits_takes_its_place() {
    let world = world().await;
    let ts = world.slack.say("C1", "U1", "<@UBOT> which tasks are overdue?", None).await.ts;
    settle(&world).await;
    world.slack.rewrite("C1", &ts, "<@UBOT> which tasks are blocked?").await;
    settle(&world).await;
    world.slack.press("C1", "U1", "Project Plan").await;
    settle(&world).await;
    assert!(last_in_slack(&world).contains("2 rows match"), "the sheet was waited for: {}", last_in_slack(&world));
    let ts = world.slack.say("C1", "U1", "which tasks are overdue?", None).await.ts;
    settle(&world).await;
    world.slack.rewrite("C1", &ts, "<@UBOT> who are you?").await;
    settle(&world).await;
    assert!(last_in_slack(&world).contains("I am ChatSheetAI"), "a mention that was added: {}", last_in_slack(&world));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_waits_for_a_sheet_is_answered_when_somebody_names_it() {
    let world = world().await;
    let bot = |from: usize| -> Vec<String> {
        world.slack.messages().iter().skip(from).filter(|m| m.user == slack::BOT_USER).map(slack::Posted::seen).collect()
    };
    let root = world.slack.say("C3", "U1", "<@UBOT> how many tasks are blocked?", None).await.ts;
    settle(&world).await;
    world.slack.say("C3", "U2", "<@UBOT> how many tasks are there?", Some(&root)).await;
    settle(&world).await;
    let said = bot(0);
    assert_eq!(said.iter().filter(|m| m.contains("Which sheet is this about?")).count(), 1, "{said:?}");
    assert!(
        said.last().unwrap().contains("Noted. I answer this, too, as soon as this thread has a sheet: write its name, or type `sheets`"),
        "{said:?}"
    );
    let before = world.slack.messages().len();
    for talk in ["plan", "lgtm", "Project Plan looks fine to me", "which budget?"] {
        world.slack.say("C3", "U2", talk, Some(&root)).await;
        settle(&world).await;
        assert_eq!(bot(before), Vec::<String>::new(), "“{talk}” is said to somebody else");
    }
    world.slack.say("C3", "U2", "project plan", Some(&root)).await;
    settle(&world).await;
    let said = bot(before);
    let place = |words: &str| said.iter().position(|m| m.contains(words)).unwrap_or_else(|| panic!("no “{words}” in {said:?}"));
    let order = ["This thread is now about", "There are 2 rows", "There are 42 rows"].map(place);
    assert_eq!((order, said.len()), ([0, 1, 2], 3), "{said:?}");
    // A thread that begins with nothing but a name is about that sheet, and has asked nothing.
    let before = world.slack.messages().len();
    world.slack.say("C3", "U1", "<@UBOT> the Risk Register sheet", None).await;
    settle(&world).await;
    let said = bot(before);
    assert!(said.len() == 1 && said[0].contains("is now about") && said[0].contains("Risk Register"), "{said:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_answered_also_where_the_channel_gets_a_sheet() {
    let world = world().await;
    let root = world.slack.say("C3", "U1", "<@UBOT> how many tasks are blocked?", None).await.ts;
    settle(&world).await;
    world.slack.say("C3", "U2", "<@UBOT> how many tasks are overdue?", Some(&root)).await;
    settle(&world).await;
    let before = world.slack.messages().len();
    world.slack.slash("C3", "U2", "use Project Plan").await;
    settle(&world).await;
    let bot = |from: usize| -> Vec<String> {
        world.slack.messages().iter().skip(from).filter(|m| m.user == slack::BOT_USER).map(slack::Posted::seen).collect()
    };
    let said = bot(before);
    let answers = ["start with Project Plan", "There are 2 rows", "There are 5 rows"];
    assert_eq!(answers.map(|words| said.iter().filter(|m| m.contains(words)).count()), [1, 1, 1], "{said:?}");
    assert_eq!(said.len(), 3, "{said:?}");
    let before = world.slack.messages().len();
    world.slack.say("C3", "U1", "<@UBOT> use Budget 2026", Some(&root)).await;
    settle(&world).await;
    assert_eq!(bot(before).len(), 1, "nothing waits any more: {:?}", bot(before));
    // A name is understood with a polite word around it.
    let before = world.slack.messages().len();
    let root = world.slack.say("C4", "U1", "<@UBOT> how many tasks are blocked?", None).await.ts;
    settle(&world).await;
    world.slack.say("C4", "U1", "<@UBOT> Project Plan, please", Some(&root)).await;
    settle(&world).await;
    assert!(bot(before).last().unwrap().contains("There are 2 rows"), "{:?}", bot(before));
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_a_sheet_goes_along_into_the_supergroup() {
    let world = world().await;
    let far = world.telegram.clone().unwrap();
    far.say(telegram::SMALL_GROUP, 1, &format!("@{} how many tasks are blocked?", telegram::BOT_NAME), None).await;
    settle(&world).await;
    let asked = far.thread(telegram::SMALL_GROUP, None);
    assert!(asked.last().unwrap().contains("Which sheet is this about?"), "{asked:?}");
    far.upgrade(telegram::SMALL_GROUP, telegram::GROUP).await;
    settle(&world).await;
    far.say(telegram::GROUP, 1, &format!("@{} use Project Plan", telegram::BOT_NAME), None).await;
    settle(&world).await;
    let answers = far.thread(telegram::GROUP, None);
    assert!(answers.last().unwrap().contains("There are 2 rows"), "{answers:?}");
    world.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_only_sheet_of_one_is_not_chosen_for_others() {
    let world = world().await;
    let root = world.slack.say("C3", "U1", "<@UBOT> how many tasks are blocked?", None).await.ts;
    settle(&world).await;
    let all = world.sheets.world().names();
    for sheet in all.iter().filter(|name| *name != "Project Plan") {
        world.sheets.world().withdraw(sheet);
    }
    let before = world.slack.messages().len();
    world.slack.say("C3", "U2", "lgtm", Some(&root)).await;
    settle(&world).await;
    assert_eq!(world.slack.messages().len(), before + 1, "nothing was said to the bot");
    world.slack.say("C3", "U2", "<@UBOT> how many tasks are overdue?", Some(&root)).await;
    settle(&world).await;
    assert!(last_in_slack(&world).contains("Noted. I answer this, too"), "{}", last_in_slack(&world));
    // Not for the channel either.
    let before = world.slack.messages().len();
    world.slack.slash("C3", "U2", "view").await;
    settle(&world).await;
    let said: Vec<String> = world.slack.messages().iter().skip(before).map(slack::Posted::seen).collect();
    assert!(!said.iter().any(|m| m.contains("There are")), "{said:?}");
    world.slack.say("C3", "U1", "Sorry, use Project Plan", Some(&root)).await;
    settle(&world).await;
    let said: Vec<String> = world.slack.messages().iter().map(slack::Posted::seen).collect();
    assert!(said.iter().any(|m| m.contains("There are 2 rows")) && last_in_slack(&world).contains("There are 5 rows"), "{said:?}");
    world.end().await;
}
