//! The settings of each database session. They are the same for the pools, the writer, the stream reader and the listener.

use bootledger_projections::database::pool::sessions::Sessions;
use sqlx::postgres::PgConnectOptions;

/// Statements are planned for each execution, since one statement serves both the present and the past. JIT compilation takes
/// longer than any of the statements, so it is off.
const PLANS: [(&str, &str); 3] = [("search_path", "views, public"), ("plan_cache_mode", "force_custom_plan"), ("jit", "off")];

/// Timeouts that end a session at the server whose client disappeared or gave up. The service does not rely on them, but
/// otherwise locks would be held until the server notices. They are longer than the service's own limits.
const LIMITS: [(&str, &str); 7] = [
    ("statement_timeout", "'60s'"),
    ("idle_in_transaction_session_timeout", "'30s'"),
    ("client_connection_check_interval", "'2s'"),
    ("tcp_keepalives_idle", "5"),
    ("tcp_keepalives_interval", "2"),
    ("tcp_keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
];

/// Opens sessions with the settings of the service.
pub(super) fn of_sessions(options: PgConnectOptions) -> Sessions {
    Sessions::from(options).with(PLANS).with(LIMITS)
}
