//! Every variable that is read, in the order of `.env.example`, which is made of this list.

/// A variable that is read.
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What holds where it is not set; empty where nothing does.
    pub default: &'static str,
    /// What it is for, for people.
    pub about: &'static str,
    /// Whether its value is never shown. Then it may also stand in a file that the variable `NAME_FILE` names.
    pub secret: bool,
}

const fn plain(name: &'static str, default: &'static str, about: &'static str) -> Variable {
    Variable { name, default, about, secret: false }
}

const fn secret(name: &'static str, about: &'static str) -> Variable {
    Variable { name, default: "", about, secret: true }
}

/// Every variable that is read.
pub const VARIABLES: &[Variable] = &[
    Variable {
        name: "DATABASE_URL",
        default: "sqlite://chatsheet.db",
        about: "Database: sqlite://path, or postgres://user:password@host/database when one machine is not enough.",
        secret: true,
    },
    plain(
        "SECRETS_DIRECTORY",
        "",
        "Folder with a file for each secret that is not set otherwise, named like the setting, such as /run/secrets. Unset: none.",
    ),
    plain("TEST_DATABASE_URL", "", "PostgreSQL for the tests. Unset: the tests run on SQLite only."),
    plain("LISTEN", "127.0.0.1:3000", "Address that the sidecar listens on."),
    plain("METRICS_LISTEN", "", "Address of /metrics for Prometheus, such as 127.0.0.1:9090; it asks for no key. Unset: none."),
    plain("PUBLIC_BASE_URL", "", "Where the sidecar is reached from outside, such as https://bot.example.com. Unset: it is not."),
    plain(
        "TRUSTED_PROXIES",
        "",
        "Comma-separated addresses or networks of proxies in front, such as 127.0.0.1 or 10.0.0.0/8: their X-Forwarded-For tells where requests come from. Unset: none.",
    ),
    secret(
        "CHATSHEET_SECRET_KEY",
        "Encrypts secrets of webhooks and tokens of workspaces, signs links; at least 32 characters (openssl rand -hex 32). Unset: no webhooks, links end with the process.",
    ),
    secret(
        "CHATSHEET_SECRET_KEY_OLD",
        "The key before CHATSHEET_SECRET_KEY, while it is changed: what it has sealed still opens, until `chatsheet keys rotate` has sealed all anew.",
    ),
    plain("LINK_HOURS", "24", "How long links to the sheet viewer work; they are made when PUBLIC_BASE_URL is set."),
    plain("AZURE_OPENAI_API_BASE", "", "Endpoint of the Azure OpenAI resource, such as https://name.openai.azure.com."),
    secret("AZURE_OPENAI_API_KEY", "Its key, or a token (see AZURE_OPENAI_AUTH)."),
    plain("AZURE_OPENAI_API_VERSION", "2025-01-01-preview", "API version; v1 means the current URL shape without a version."),
    plain("AZURE_OPENAI_DEPLOYMENT", "", "Name of the deployment."),
    plain(
        "AZURE_OPENAI_COMPLETIONS_DEPLOYMENT",
        "",
        "A deployment that only offers text completions, for the work of jobs on rows. Unset: jobs ask the deployment above.",
    ),
    plain("AZURE_OPENAI_MODEL", "", "Name of the model behind the deployment, for people; the deployment decides."),
    plain(
        "AZURE_OPENAI_AUTH",
        "api-key",
        "How to log in: api-key; bearer, with AZURE_OPENAI_API_KEY as a token; or entra, with tokens of Entra ID that are renewed.",
    ),
    plain("AZURE_TENANT_ID", "", "With entra: the tenant of the application that logs in."),
    plain("AZURE_CLIENT_ID", "", "With entra: the application, or the managed identity where the machine has several."),
    secret("AZURE_CLIENT_SECRET", "With entra: the application's secret. Unset: a workload identity, or the machine's managed identity."),
    plain("AZURE_FEDERATED_TOKEN_FILE", "", "With entra: the file in which a workload identity finds its token; AKS sets it."),
    plain("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com", "With entra: where tokens are given, in clouds of their own."),
    plain("IDENTITY_ENDPOINT", "", "With entra: where App Service and Container Apps give tokens; they set it."),
    secret("IDENTITY_HEADER", "With entra: what goes with it."),
    plain("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://169.254.169.254", "With entra: the metadata service of the machine."),
    plain(
        "AZURE_OPENAI_SCOPE",
        "https://cognitiveservices.azure.com/.default",
        "With entra: what the token is for; https://ai.azure.com/.default for some Foundry projects.",
    ),
    plain(
        "AZURE_OPENAI_FALLBACKS",
        "",
        "Deployments that are asked in this order while the first is overrun or out of order, separated by commas: names at the same endpoint, or https://host/deployment.",
    ),
    secret("AZURE_OPENAI_FALLBACK_API_KEY", "Key of fallbacks at another host; required for them unless AZURE_OPENAI_AUTH is entra."),
    plain("OPENAI_BASE_URL", "", "An OpenAI-compatible server instead of Azure, such as http://127.0.0.1:11434/v1 (Ollama)."),
    secret("OPENAI_API_KEY", "Its key. Unset: none is needed."),
    plain("OPENAI_MODEL", "", "The model to ask there."),
    secret("MODEL_HEADERS", "Headers that a gateway in front of the model asks for: Name: value, separated by semicolons."),
    plain("MODEL_TIMEOUT_SECONDS", "180", "Longest silence of the model, in seconds; models that think are silent for long."),
    plain("MODEL_CA_FILE", "", "Certificates (PEM) of authorities that are trusted beside the system's when the model is asked."),
    plain("MODEL_TEMPERATURE", "0.7", "Randomness of answers, 0 to 2."),
    plain("MODEL_MAX_TOKENS", "4000", "Longest answer, in tokens."),
    plain("MODEL_TOP_P", "1", "Nucleus sampling, 0 to 1."),
    plain("MODEL_FREQUENCY_PENALTY", "0", "-2 to 2."),
    plain("MODEL_PRESENCE_PENALTY", "0", "-2 to 2."),
    secret("SMARTSHEET_ACCESS_TOKEN", "Access token of the account that the bot works under."),
    plain("SMARTSHEET_REGION", "us", "Where the account lives: us, eu, au or gov."),
    plain("SMARTSHEET_API_BASE_URL", "", "Base URL of the API, instead of the region's."),
    plain(
        "SMARTSHEET_CLIENT_ID",
        "",
        "Client id of an app in Smartsheet (Developer Tools): people connect their own accounts. Needs PUBLIC_BASE_URL and CHATSHEET_SECRET_KEY. Unset: they cannot.",
    ),
    secret("SMARTSHEET_CLIENT_SECRET", "Its secret; required with its id."),
    plain(
        "SMARTSHEET_ACCOUNTS",
        "optional",
        "optional: who has not connected an account uses the one above. required: they are asked to connect one first.",
    ),
    plain(
        "PERSONAL_ANSWERS",
        "thread",
        "Where answers go that are found with a person's own account: thread, or alone: to them alone where the account above cannot read the sheet; they can share them.",
    ),
    plain("SMARTSHEET_AUTHORIZE_URL", "", "Where Smartsheet asks people, instead of the region's page."),
    plain("SMARTSHEET_MAX_ANSWER_MB", "300", "The largest answer of Smartsheet that is taken in, in megabytes after inflation."),
    secret("SMARTSHEET_WEBHOOK_SECRET", "Shared secret of webhooks that were made by hand. Unset: none were."),
    plain(
        "FOLLOW_UPS",
        "answer",
        "answer: in threads that it takes part in the bot answers messages that do not mention it, where the platform lets it hear them. mention: only those that do.",
    ),
    plain(
        "SLACK_ALLOWED",
        "members",
        "Who may use the bot in Slack, separated by commas: members, guests, ids of people, channels or other workspaces, * for everybody. People are also let in by chatsheet access invite.",
    ),
    plain("TEAMS_ALLOWED", "members", "The same in Teams: members, guests, ids of people, conversations or other tenants, *."),
    plain("DISCORD_ALLOWED", "", "The same in Discord: ids of servers, channels or people, *. Unset: nobody."),
    plain("TELEGRAM_ALLOWED", "", "The same in Telegram: ids of people or chats, *. Unset: nobody."),
    plain("ALLOW_EVERYBODY", "no", "yes: * is meant, although everybody then reads and changes all sheets of SMARTSHEET_ACCESS_TOKEN."),
    secret(
        "SLACK_BOT_TOKEN",
        "Bot token of the Slack app (xoxb-…) in one workspace. Unset: no Slack, or workspaces install it (SLACK_CLIENT_ID).",
    ),
    secret("SLACK_SIGNING_SECRET", "Signing secret of the Slack app; required, unless Socket Mode is used."),
    plain(
        "SLACK_CLIENT_ID",
        "",
        "Client ID of the Slack app, instead of a bot token: workspaces install it by a link (chatsheet workspaces invite). Needs PUBLIC_BASE_URL and CHATSHEET_SECRET_KEY.",
    ),
    secret("SLACK_CLIENT_SECRET", "Client secret of the Slack app; required with its id."),
    secret(
        "SLACK_APP_TOKEN",
        "App-level token (xapp-…) for Socket Mode: no public address is needed for Slack. Unset: events come over HTTP.",
    ),
    plain("SLACK_API_BASE_URL", "https://slack.com/api", "Base URL of Slack's Web API."),
    secret("DISCORD_BOT_TOKEN", "Token of the Discord bot. Unset: no Discord."),
    plain("DISCORD_APPLICATION_ID", "", "Id of the Discord application; required with the token."),
    plain(
        "DISCORD_PUBLIC_KEY",
        "",
        "Public key of the Discord application: interactions are taken over HTTP, too. Unset: over the gateway only.",
    ),
    plain("DISCORD_API_BASE_URL", "", "Where Discord is, instead of where it always is."),
    plain("TEAMS_APP_ID", "", "Application id of the bot in Microsoft Teams. Unset: no Teams."),
    secret("TEAMS_APP_PASSWORD", "Client secret of that application; required with the id."),
    plain("TEAMS_TENANT_ID", "", "Tenant of that application; required with the id."),
    plain(
        "TEAMS_OPENID_METADATA_URL",
        "https://login.botframework.com/v1/.well-known/openidconfiguration",
        "Where the keys of the Bot Framework are described; governments' clouds have their own.",
    ),
    plain(
        "TEAMS_TOKEN_URL",
        "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
        "Where the bot gets its token; governments' clouds have their own.",
    ),
    plain("TEAMS_SERVICE_HOSTS", "", "Hosts that the bot's token may be sent to, beside Microsoft's own, separated by commas."),
    secret("TELEGRAM_BOT_TOKEN", "Token of the Telegram bot (123456:ABC-…). Unset: no Telegram."),
    secret(
        "TELEGRAM_WEBHOOK_SECRET",
        "1 to 256 letters, digits, _ and -: with it and PUBLIC_BASE_URL Telegram sends updates; unset: they are asked for.",
    ),
    plain("TELEGRAM_API_BASE_URL", "https://api.telegram.org", "Base URL of Telegram's Bot API."),
    plain(
        "CONFIRM_WRITES",
        "always",
        "always: every write waits for Confirm. bulk: a change of cells in one row is applied at once, with Undo.",
    ),
    plain("CONFIRM_LIMIT_ROWS", "200", "From this many rows on the number of rows is asked for in a second step."),
    plain("UNDO_HOURS", "24", "How long a change can be taken back."),
    plain("JOB_CONCURRENCY", "8", "Model calls of background jobs at the same time."),
    plain(
        "JOB_WRITE_SECONDS",
        "300",
        "Answers of the model are written to the sheet when all are there, and this often before; each time costs one request more.",
    ),
    plain("MODEL_PRICE_PER_1K_INPUT", "", "Price of 1,000 tokens that the model reads, for estimates of jobs. Unset: no cost is shown."),
    plain(
        "MODEL_PRICE_PER_1K_CACHED_INPUT",
        "",
        "Price of 1,000 tokens that the model reads and had read before. Unset: that of other input.",
    ),
    plain("MODEL_PRICE_PER_1K_OUTPUT", "", "Price of 1,000 tokens that the model writes; set both or none."),
    plain("PERSON_TURNS_PER_DAY", "500", "Questions to the model that each person may ask in a day (UTC). 0: as many as they like."),
    plain(
        "PERSON_TOKENS_PER_DAY",
        "0",
        "Tokens that the model may read and write for the questions of each person in a day (UTC); jobs are not counted. 0: no limit.",
    ),
    plain(
        "PERSON_COST_PER_DAY",
        "0",
        "What the questions of each person may cost in a day (UTC), by MODEL_PRICE_PER_1K_*; jobs are not counted. 0: no limit.",
    ),
    plain("ALIGNMENT_CRITERIA", "", "What rows are scored by when the person names no criteria."),
    plain(
        "RETENTION_DAYS",
        "90",
        "How long finished jobs, the journal of changes and what was shown in threads are kept; not shorter than changes can be taken back.",
    ),
    plain(
        "MESSAGE_RETENTION_DAYS",
        "365",
        "How long the words of conversations are kept, which the model reads again and programs get over the API. 0: until their session is deleted.",
    ),
    plain("LINK_HOSTS", "", "Comma-separated hosts whose links may stay in answers, beside Smartsheet's own and links from the sheet."),
    plain(
        "TIME_ZONE",
        "",
        "Time zone, such as Europe/Berlin, of people of whom neither their platform nor their Smartsheet account tells one. Unset: UTC.",
    ),
    plain("LOCALE", "", "How those people write numbers and days: de-DE, en-US … Unset: what can be read in two ways is asked back."),
    plain("SNAPSHOT_CACHE_MB", "128", "Memory for sheets that were read."),
    plain("LOG_FORMAT", "pretty", "pretty or json."),
    plain("LOG_FILE", "", "File that log lines are added to; rotate it with copytruncate. Unset: standard error."),
    plain(
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "",
        "Collector of traces (OTLP over HTTP), such as http://127.0.0.1:4318; in builds with --features otel. Unset: none.",
    ),
    plain("RUST_LOG", "info", "What is logged, as tracing directives."),
];
