//! Commands about users and their sessions.

use super::context::metadata_text;
use super::execute::Failure;
use super::{CATCH_UP, CommandService};
use crate::event_log::accounts as secrets;
use crate::event_log::append::Precondition;
use crate::event_log::draft::Draft;
use crate::event_log::store::Terms;
use bootledger_aggregates::session::{EndReason, GRACE_SECONDS, LONGEST_SECONDS, Method, Session, SessionCommand, SessionSpec};
use bootledger_aggregates::user::{SignIn, User, UserCommand};
use bootledger_aggregates::values::ids::{SessionId, TokenId};
use bootledger_aggregates::values::sha256::Sha256;
use bootledger_aggregates::values::user_name::UserName;
use bootledger_port::{AccountAction, CommandError, Context, NewPassword, Receipt};
use bootledger_projections::rows::accounts;
use bootledger_web::http::auth::network;

impl CommandService {
    pub(super) async fn account_command(&self, action: &AccountAction, context: &Context) -> Result<Receipt, Failure> {
        let terms = Terms::default();
        match action {
            AccountAction::CreateUser { name, display_name, role, password } => {
                let sign_in = match password {
                    Some(password) => self.remember(name, password).await?,
                    None => SignIn::OpenidConnect,
                };
                let command = UserCommand::CreateUser { display_name: display_name.clone(), role: *role, sign_in };
                self.run::<User>(name, command, terms, context).await
            }
            AccountAction::AdmitUser { name, display_name, role, link } => {
                let (others, preconditions) = self.other_administrators(name).await?;
                let terms = Terms { preconditions, ..terms };
                let (display_name, link) = (display_name.clone(), link.clone());
                self.run::<User>(name, UserCommand::AdmitUser { display_name, role: *role, link, others }, terms, context).await
            }
            AccountAction::ChangeUserRole { user, role } => {
                let (others, preconditions) = self.other_administrators(user).await?;
                let terms = Terms { preconditions, ..terms };
                self.run::<User>(user, UserCommand::ChangeRole { role: *role, others }, terms, context).await
            }
            AccountAction::SetPassword { user, password, keep } => {
                self.remember(user, password).await?;
                let command = UserCommand::ChangePassword { password: password.id, one_time: password.one_time };
                self.change_and_end(user, command, (EndReason::PasswordChanged, *keep), vec![], context).await
            }
            AccountAction::DisableUser(user) => {
                let (others, preconditions) = self.other_administrators(user).await?;
                let command = UserCommand::DisableUser { others };
                self.change_and_end(user, command, (EndReason::UserDisabled, None), preconditions, context).await
            }
            AccountAction::LockOut { user, client, everywhere, at } => {
                let command = UserCommand::LockOut { client: *client, everywhere: *everywhere, at: *at };
                self.run::<User>(user, command, terms, context).await
            }
            AccountAction::RecordFailedSignIns { user: Some(user), failed, .. } => {
                self.run::<User>(user, UserCommand::RecordFailedSignIns(*failed), terms, context).await
            }
            AccountAction::RecordFailedSignIns { user: None, session, failed } => {
                self.run::<Session>(session, SessionCommand::RecordUnknownUser(*failed), terms, context).await
            }
            AccountAction::UnlockUser(user) => self.run::<User>(user, UserCommand::UnlockUser, terms, context).await,
            AccountAction::EnableUser(user) => self.run::<User>(user, UserCommand::EnableUser, terms, context).await,
            AccountAction::StartSession { session, spec, secret_sha256, user_sequence } => {
                self.start_session(*session, spec, *secret_sha256, *user_sequence, context).await
            }
            AccountAction::EndSession { session, reason } => {
                self.run::<Session>(session, SessionCommand::EndSession { reason: *reason }, terms, context).await
            }
        }
    }

    /// Stores the hash of a password. It is stored before the event: otherwise a user without a stored hash could never sign
    /// in.
    async fn remember(&self, user: &UserName, password: &NewPassword) -> Result<SignIn, Failure> {
        secrets::remember_password(&self.views, password.id, user, password.hash.phc()).await?;
        Ok(SignIn::Password { password: password.id, one_time: password.one_time })
    }

    /// How many other administrators may sign in. One of them is the witness, who must not change before the append: if two
    /// administrators disable each other at the same moment, one remains.
    async fn other_administrators(&self, user: &UserName) -> Result<(usize, Vec<Precondition>), Failure> {
        let mut others = accounts::administrators(&self.views).await?;
        others.retain(|(name, _)| name != user);
        let witness = others.first().map(|(name, sequence)| Precondition::Sequence {
            aggregate_type: "user",
            aggregate_id: name.to_string(),
            sequence: *sequence,
        });
        Ok((others.len(), witness.into_iter().collect()))
    }

    async fn start_session(
        &self,
        session: SessionId,
        spec: &SessionSpec,
        secret: Sha256,
        user_sequence: i64,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let now = (self.now)();
        secrets::remember_session(&self.views, session, secret, now, now.plus_seconds(LONGEST_SECONDS)).await?;
        let unchanged =
            Precondition::Sequence { aggregate_type: "user", aggregate_id: spec.user.to_string(), sequence: user_sequence };
        let terms = Terms { preconditions: vec![unchanged], fresh: true };
        match self.run::<Session>(session, SessionCommand::StartSession(spec.clone()), terms, context).await {
            // Deciding again would not help: the credentials were checked against the user's earlier state.
            Err(Failure::Conflict) => {
                let message = format!("user {} was changed during the sign-in; sign in again", spec.user);
                Err(Failure::Other(CommandError::Conflict(message)))
            }
            other => {
                if let (Ok(_), Method::Password, Some(client)) = (&other, spec.method, spec.client) {
                    // The session has started. A failure to record the client must not refuse it.
                    if let Err(error) = secrets::remember_client(&self.views, &spec.user, network(client), now).await {
                        tracing::warn!("cannot record the address from which user {} signed in: {error}", spec.user);
                    }
                }
                other
            }
        }
    }

    /// Changes a user and ends all but one of the user's sessions, in one append.
    async fn change_and_end(
        &self,
        user: &UserName,
        command: UserCommand,
        (reason, keep): (EndReason, Option<SessionId>),
        preconditions: Vec<Precondition>,
        context: &Context,
    ) -> Result<Receipt, Failure> {
        let mut draft = Draft::<User>::load(&self.log, user.as_str()).await?;
        draft.decide(|user| user.decide(command))?;
        let metadata = metadata_text(context);
        let mut events = draft.into_events(&metadata)?;
        for session in accounts::live_of(&self.views, user, None).await?.into_iter().filter(|id| Some(*id) != keep) {
            let mut draft = Draft::<Session>::load(&self.log, session.to_string()).await?;
            draft.decide(|session| session.decide(SessionCommand::EndSession { reason }))?;
            events.extend(draft.into_events(&metadata)?);
        }
        let receipt = self.append(user, events, preconditions, context).await?;
        // A session may have started that the views did not show yet. A session that starts later is checked against the new
        // state.
        if self.feed.wait_for(receipt.position, CATCH_UP).await {
            let context = Context { idempotency_key: None, ..context.clone() };
            let left = accounts::live_of(&self.views, user, Some(receipt.position)).await?;
            for session in left.into_iter().filter(|id| Some(*id) != keep) {
                self.run::<Session>(session, SessionCommand::EndSession { reason }, Terms::default(), &context).await?;
            }
        }
        Ok(receipt)
    }

    pub(super) async fn note_session(&self, session: SessionId, newest: bool) -> Result<(), Failure> {
        let now = (self.now)();
        Ok(secrets::saw_session(&self.views, session, newest, now, now.plus_seconds(GRACE_SECONDS)).await?)
    }

    pub(super) async fn note_token(&self, token: TokenId) -> Result<(), Failure> {
        Ok(secrets::saw_token(&self.views, token, (self.now)()).await?)
    }

    pub(super) async fn rotate(&self, session: SessionId, presented: Sha256, next: Sha256) -> Result<bool, Failure> {
        Ok(secrets::rotate_session(&self.views, session, presented, next, (self.now)()).await?)
    }
}
