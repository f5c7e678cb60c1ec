//! The context that a change is sent with, and its answer.

use crate::support::{TestSite, device_registered, sending, site_defined};
use actix_web::test::TestRequest;
use bootledger_aggregates::token::TokenScope;
use bootledger_aggregates::values::name::Name;
use bootledger_port::{Command, DeviceAction, Receipt};
use serde_json::json;
use uuid::Uuid;

#[actix_web::test]
async fn a_change_answers_with_what_the_views_then_show() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    site.append("site", "dc1", site_defined()).await;
    let id = Uuid::now_v7().to_string();
    let position = site.append_unseen("device", &id, device_registered("52:54:00:00:00:01", None)).await;
    site.answer(Ok(Receipt { position, id: id.clone(), repeated: false }));
    let body = json!({"site": "dc1", "macs": ["52-54-00-00-00-01"], "venture": "shop", "role": "web"});
    let request = sending(TestRequest::post().uri("/api/v1/devices"), &body)
        .insert_header(("idempotency-key", "order-7"))
        .insert_header(("x-request-id", "request-7"));
    let (answer, ()) = tokio::join!(site.request_as(&operator, request), site.show());
    assert_eq!((answer.status.as_u16(), answer.header("location")), (201, format!("/api/v1/devices/{id}").as_str()));
    assert_eq!((&answer.json()["id"], &answer.json()["macs"]), (&json!(id), &json!(["52:54:00:00:00:01"])));
    assert_eq!(answer.header("bootledger-position"), position.to_string());

    let requested = site.domain.requested.lock().expect("no panic");
    let [(Command::Device(DeviceAction::RegisterDevice { spec, venture, .. }), context)] = requested.as_slice() else {
        panic!("{requested:?}")
    };
    assert_eq!((spec.site.as_str(), venture.as_ref().map(Name::as_str)), ("dc1", Some("shop")));
    assert_eq!((context.actor.as_str(), context.correlation_id.as_str()), ("token ops", "request-7"));
    assert_eq!(context.key(), Some("order-7"));
}

#[actix_web::test]
async fn a_change_that_the_views_do_not_show_in_time_answers_with_its_position() {
    let site = TestSite::create().await;
    let operator = site.bearer(TokenScope::Operator).await;
    site.answer(Ok(Receipt { position: 999, id: "7".to_owned(), repeated: false }));
    // No request waits for the views while the service stops.
    site.stopping.send_replace(true);
    let request = TestRequest::post().uri(&format!("/api/v1/devices/{}/verify", Uuid::nil()));
    let answer = site.request_as(&operator, request).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (202, json!({"id": "7", "position": 999})));
}
