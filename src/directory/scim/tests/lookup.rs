//! Looking people up in directories that know no filters, or know user stores in their own way.

use serde_json::{Value, json};
use wiremock::matchers::{method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use super::{alex, find, find_in, list, realm, store, with_dialect};
use crate::directory::DirectoryError;
use crate::domain::dialect::{Dialect, RealmIn};

/// A page that begins at `start` of a directory with `total` people.
async fn page(server: &MockServer, start: usize, total: usize, users: &[Value]) {
    let body = json!({"totalResults": total, "startIndex": start, "itemsPerPage": users.len(), "Resources": users});
    Mock::given(method("GET"))
        .and(query_param("startIndex", start.to_string()))
        .and(query_param("count", "20"))
        .respond_with(ResponseTemplate::new(200).set_body_json(body))
        .mount(server)
        .await;
}

fn crowd(start: usize, count: usize) -> Vec<Value> {
    (start..start + count).map(|n| json!({"id": n.to_string(), "userName": format!("somebody{n}")})).collect()
}

#[tokio::test]
async fn a_directory_that_ignores_the_filter_is_read_page_by_page() {
    let server = MockServer::start().await;
    page(&server, 1, 45, &crowd(1, 20)).await;
    page(&server, 21, 45, &crowd(21, 20)).await;
    let last: Vec<_> = crowd(41, 4).into_iter().chain([alex()]).collect();
    page(&server, 41, 45, &last).await;
    assert_eq!(find(&server, "Alex").await.unwrap().id, "2819c223");
    assert!(matches!(find(&server, "sam").await, Err(DirectoryError::NotFound)));
}

#[tokio::test]
async fn a_directory_that_refuses_the_filter_is_asked_without_it() {
    let invalid = json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:Error"], "scimType": "invalidFilter", "status": "400"});
    for refusal in [ResponseTemplate::new(400).set_body_json(&invalid), ResponseTemplate::new(501)] {
        let server = MockServer::start().await;
        let filtered = |request: &Request| request.url.query_pairs().any(|(name, _)| name == "filter");
        Mock::given(filtered).respond_with(refusal).with_priority(1).mount(&server).await;
        page(&server, 1, 21, &crowd(1, 20)).await;
        page(&server, 21, 21, &[alex()]).await;
        assert_eq!(find(&server, "alex").await.unwrap().id, "2819c223");
        assert!(matches!(find(&server, "sam").await, Err(DirectoryError::NotFound)));
    }
}

#[tokio::test]
async fn a_second_one_of_the_name_on_a_later_page_makes_it_ambiguous() {
    let server = MockServer::start().await;
    let first: Vec<_> = crowd(1, 19).into_iter().chain([alex()]).collect();
    page(&server, 1, 21, &first).await;
    page(&server, 21, 21, &[json!({"id": "2", "userName": "ALEX"})]).await;
    assert!(matches!(find(&server, "alex").await, Err(DirectoryError::Ambiguous)));
}

#[tokio::test]
async fn a_directory_without_filters_and_with_too_many_people_is_not_read_for_ever() {
    let server = MockServer::start().await;
    let everybody = |request: &Request| {
        let start = request.url.query_pairs().find(|(name, _)| name == "startIndex").unwrap().1.parse().unwrap();
        let body = json!({"totalResults": 100_000, "startIndex": start, "Resources": crowd(start, 20)});
        ResponseTemplate::new(200).set_body_json(body)
    };
    Mock::given(method("GET")).respond_with(everybody).mount(&server).await;
    let found = find(&server, "alex").await;
    assert!(matches!(found, Err(DirectoryError::Ambiguous | DirectoryError::NotApplied("timeout"))));
    assert!(server.received_requests().await.unwrap().len() <= 50);
}

#[tokio::test]
async fn a_page_that_never_comes_ends_the_whole_search_in_time() {
    let server = MockServer::start().await;
    page(&server, 1, 40, &crowd(1, 20)).await;
    let slow = ResponseTemplate::new(200).set_delay(std::time::Duration::from_secs(5));
    Mock::given(query_param("startIndex", "21")).respond_with(slow).mount(&server).await;
    assert!(matches!(find(&server, "alex").await, Err(DirectoryError::NotApplied("timeout"))));
}

/// A directory of the tenant `acme` in which everybody is called `name`.
async fn called(name: &str) -> MockServer {
    let server = MockServer::start().await;
    let mut user = alex();
    user["userName"] = json!(name);
    Mock::given(path("/t/acme/scim2/Users"))
        .respond_with(ResponseTemplate::new(200).set_body_json(list(&[user.clone()])))
        .mount(&server)
        .await;
    Mock::given(path("/t/acme/scim2/Users/2819c223"))
        .respond_with(ResponseTemplate::new(200).set_body_json(user))
        .mount(&server)
        .await;
    server
}

/// The query of the only request that was made.
async fn query(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    requests[0].url.query_pairs().map(|(name, value)| format!("{name}={value}")).collect()
}

#[tokio::test]
async fn a_user_store_is_a_domain_and_stands_before_its_names() {
    let server = called("SECONDARY/alex").await;
    let wso2 = with_dialect(&server, Dialect::wso2());
    let user = find_in(&wso2, "secondary", "Alex").await.unwrap();
    assert_eq!((user.id.as_str(), user.username.as_str()), ("2819c223", "alex"));
    let expected = ["filter=userName eq \"Alex\"", "domain=secondary", "startIndex=1", "count=20"];
    assert_eq!(query(&server).await, expected);
    // Another store's user of the same name is nobody here.
    for realm in ["PRIMARY", "THIRD"] {
        assert!(matches!(find_in(&wso2, realm, "alex").await, Err(DirectoryError::NotFound)), "{realm}");
    }
}

#[tokio::test]
async fn names_of_the_primary_store_come_with_its_name_or_bare() {
    for name in ["alex", "PRIMARY/alex"] {
        let server = called(name).await;
        let wso2 = with_dialect(&server, Dialect::wso2());
        assert_eq!(find_in(&wso2, "PRIMARY", "alex").await.unwrap().username.as_str(), "alex");
        assert!(matches!(find_in(&wso2, "SECONDARY", "alex").await, Err(DirectoryError::NotFound)), "{name}");
    }
}

#[tokio::test]
async fn a_name_that_says_another_store_is_not_even_asked_for() {
    let server = called("SECONDARY/alex").await;
    for realm_in in [RealmIn::Domain, RealmIn::Username] {
        let directory = with_dialect(&server, Dialect { realm_in, ..Dialect::plain() });
        assert!(matches!(find_in(&directory, "PRIMARY", "SECONDARY/alex").await, Err(DirectoryError::NotFound)));
    }
    assert!(server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_realm_can_go_before_the_name() {
    let server = called("SECONDARY/alex").await;
    let directory = with_dialect(&server, Dialect { realm_in: RealmIn::Username, ..Dialect::plain() });
    assert_eq!(find_in(&directory, "SECONDARY", "alex").await.unwrap().username.as_str(), "alex");
    assert_eq!(query(&server).await, ["filter=userName eq \"SECONDARY/alex\"", "startIndex=1", "count=20"]);
}

#[tokio::test]
async fn somebody_with_the_right_id_in_another_store_is_not_taken_for_the_person() {
    let server = called("SECONDARY/alex").await;
    let wso2 = with_dialect(&server, Dialect::wso2());
    let (secondary, primary) = (realm("SECONDARY"), realm("PRIMARY"));
    assert_eq!(wso2.get_user(store(&secondary), "2819c223").await.unwrap().username.as_str(), "alex");
    assert!(matches!(wso2.get_user(store(&primary), "2819c223").await, Err(DirectoryError::Ambiguous)));
}
