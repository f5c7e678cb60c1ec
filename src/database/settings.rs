//! The settings of each session. They are the same for the pools, the writer, the reader of streams and the listener.

use bootledger_projections::pool::sessions::Sessions;
use sqlx::postgres::PgConnectOptions;

/// Plans are made for each question, since one statement asks about now and about the past. To compile them takes longer
/// than any of them does.
const PLANS: [(&str, &str); 3] = [("search_path", "views, public"), ("plan_cache_mode", "force_custom_plan"), ("jit", "off")];

/// What ends a session at the server whose client is gone without a word, or gave up. The service does not rely on it, but
/// locks would be held for as long as the server does not notice. Longer than the service's own limits.
const LIMITS: [(&str, &str); 7] = [
    ("statement_timeout", "'60s'"),
    ("idle_in_transaction_session_timeout", "'30s'"),
    ("client_connection_check_interval", "'2s'"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// Sessions with the settings of the service.
pub(super) fn of_sessions(options: PgConnectOptions) -> Sessions {
    Sessions::from(options).with(PLANS).with(LIMITS)
}
