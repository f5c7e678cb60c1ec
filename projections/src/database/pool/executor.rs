//! Executes statements on the pool itself, each on any of its connections, and on a connection that was taken from the pool.
//!
//! All rows are collected before the first is returned. A slow caller must not hold the connection, and the limit applies to
//! all rows together.

use super::{Connection, Pool};
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use futures::{FutureExt, TryFutureExt};
use sqlx::postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo, Postgres};
use sqlx::{Describe, Either, Error, Execute, Executor};

type Item = Either<PgQueryResult, PgRow>;

async fn collected<'q, E: Execute<'q, Postgres> + 'q>(connection: &mut Connection, query: E) -> Result<Vec<Item>, Error> {
    let (raw, bound, limit) = connection.parts()?;
    let rows = bound.within(limit, raw.fetch_many(query).try_collect()).await;
    connection.checked(rows)
}

async fn first<'q, E: Execute<'q, Postgres> + 'q>(connection: &mut Connection, query: E) -> Result<Option<PgRow>, Error> {
    let (raw, bound, limit) = connection.parts()?;
    let row = bound.within(limit, raw.fetch_optional(query)).await;
    connection.checked(row)
}

fn one_by_one(rows: Vec<Item>) -> stream::Iter<std::vec::IntoIter<Result<Item, Error>>> {
    stream::iter(rows.into_iter().map(Ok).collect::<Vec<_>>())
}

impl<'c> Executor<'c> for &'c mut Connection {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        collected(self, query).map_ok(one_by_one).try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'c: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        first(self, query).boxed()
    }

    fn prepare_with<'e, 'q: 'e>(self, sql: &'q str, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement<'q>, Error>>
    where
        'c: 'e,
    {
        async move {
            let (raw, bound, limit) = self.parts()?;
            let statement = bound.within(limit, raw.prepare_with(sql, parameters)).await;
            self.checked(statement)
        }
        .boxed()
    }

    fn describe<'e, 'q: 'e>(self, sql: &'q str) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'c: 'e,
    {
        async move {
            let (raw, bound, limit) = self.parts()?;
            let description = bound.within(limit, raw.describe(sql)).await;
            self.checked(description)
        }
        .boxed()
    }
}

impl<'p> Executor<'p> for &'_ Pool {
    type Database = Postgres;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Item, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        async move { collected(&mut pool.acquire().await?, query).await.map(one_by_one) }.try_flatten_stream().boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<PgRow>, Error>>
    where
        'p: 'e,
        E: 'q + Execute<'q, Postgres>,
    {
        let pool = self.clone();
        async move { first(&mut pool.acquire().await?, query).await }.boxed()
    }

    fn prepare_with<'e, 'q: 'e>(self, sql: &'q str, parameters: &'e [PgTypeInfo]) -> BoxFuture<'e, Result<PgStatement<'q>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        async move { pool.acquire().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e, 'q: 'e>(self, sql: &'q str) -> BoxFuture<'e, Result<Describe<Postgres>, Error>>
    where
        'p: 'e,
    {
        let pool = self.clone();
        async move { pool.acquire().await?.describe(sql).await }.boxed()
    }
}
