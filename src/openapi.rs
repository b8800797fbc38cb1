//! The OpenAPI document: made from the routes, completed with what holds for every operation.

mod details;

use actix_web::App;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, Info, License, OpenApi, Ref, RefOr, ResponseBuilder, Server,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_actix_web::AppExt;

use crate::platform::http::problem::{FieldProblem, Problem};
use crate::routes;

const DESCRIPTION: &str = "\
Backend of the 龙岗工会 mini-program: workers sign up, staff check them in, and the attendance feeds the work plan.

- Only GET, POST, PUT and DELETE: `wx.request` has no PATCH.
- Ids are TypeIDs such as `act_01k5b8m3q2e9t8h6y1v7z4w0xn`; instants are RFC 3339 with offset; days are civil days in Asia/Shanghai.
- Every failure is a problem document (RFC 9457) in Chinese or English by `Accept-Language`, with a stable `code`.
- Every POST that creates or acts takes `Idempotency-Key`: same key and body, same answer; another body, 422; still running, 409.
- Other methods than those listed at a path are answered with 405 and `Allow`. Every answer has an `X-Request-Id`.
- A sheet is at most 2 MiB, a file 10 MiB. JSON is at most 64 KiB (an upload of scans 256 KiB) and 127 levels deep; a key may not come twice; no text may contain U+0000; instants and days lie in the years 1970 to 2199. Unknown fields and parameters are refused.
- Lists have opaque cursors. Reads carry an ETag; PUT needs it back as `If-Match` (428 without, 412 when stale).
- The scopes of the `bearer` scheme name the permission that an operation needs; roles have permissions over a subtree of the organisation.
";

/// The document.
pub fn document() -> OpenApi {
    let (_, mut document) =
        App::new().into_utoipa_app().configure(|paths| routes::configure(paths)).split_for_parts();
    let mut license = License::new("MIT OR Apache-2.0");
    license.identifier = Some("MIT OR Apache-2.0".into());
    let mut info = Info::new("Unionhall", env!("CARGO_PKG_VERSION"));
    info.description = Some(DESCRIPTION.into());
    info.license = Some(license);
    document.info = info;
    document.servers = Some(vec![Server::new("/")]);
    document.tags = Some(tags());
    let components = document.components.get_or_insert_with(Components::new);
    components.schemas.insert(Problem::name().into(), Problem::schema());
    components.schemas.insert(FieldProblem::name().into(), FieldProblem::schema());
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some(
            "The access token of a login. Tokens follow the JWT best current practice (RFC 8725): one algorithm, a key id, issuer, audience and type are checked.",
        ))
        .build();
    components.add_security_scheme("bearer", SecurityScheme::Http(bearer));
    for (code, description) in PROBLEMS {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let mut response =
            ResponseBuilder::new().description(*description).content("application/problem+json", content);
        if matches!(*code, "409" | "429" | "503") {
            response = response.header("Retry-After", details::retry_after());
        }
        if *code == "401" {
            response = response.header("WWW-Authenticate", details::challenge());
        }
        components.responses.insert(format!("Problem{code}"), RefOr::T(response.build()));
    }
    for (path, item) in &mut document.paths.paths {
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            complete(operation, path);
        }
        if let Some(read) = item.get.as_mut().filter(|_| path.starts_with("/api/")) {
            details::conditional(read);
        }
    }
    details::limit_requests(&mut document);
    details::name_page_items(&mut document);
    document
}

fn tags() -> Vec<utoipa::openapi::Tag> {
    [
        ("auth", "Logging in, staying logged in, logging out"),
        ("me", "Oneself: profile, pass, sign-ups, inbox"),
        ("organisation", "The union tree"),
        ("catalogue", "Programmes, activities and sessions"),
        ("signup", "Places"),
        ("review", "The desk: requests, decisions, and what is said about them"),
        ("door", "Check-in and finalising"),
        ("visits", "Work injuries, visits to the injured, and the terms for recognition"),
        ("legal", "Legal aid: cases, known to their teams alone"),
        ("plan", "The work plan, its progress and the ledger behind it"),
        ("staff", "Roles over subtrees"),
        ("people", "Accounts"),
        ("files", "Evidence, photos and documents"),
        ("operations", "Health, audit, jobs"),
    ]
    .map(|(name, description)| {
        utoipa::openapi::tag::TagBuilder::new().name(name).description(Some(description)).build()
    })
    .into()
}

const PROBLEMS: &[(&str, &str)] = &[
    ("400", "The request is malformed: JSON, query, header, cursor or idempotency key"),
    ("401", "Not logged in, or the token has expired"),
    ("403", "The permission is missing, or the account is disabled"),
    ("404", "Not there, or not for this caller to know of"),
    ("409", "The current state forbids it; the code says why"),
    ("408", "The body did not arrive in time"),
    ("412", "Somebody changed it meanwhile"),
    ("413", "The body is too large"),
    ("415", "The body is of a type that is not taken here"),
    ("422", "Fields are wrong; all of them are named"),
    ("428", "If-Match is missing"),
    ("429", "Too many requests"),
    ("500", "A bug; the request id names it in the log"),
    ("503", "Not available for the moment"),
];

/// Adds what every operation of its shape may answer.
fn complete(operation: &mut Operation, path: &str) {
    let header = |name: &str| {
        operation.parameters.iter().flatten().any(|parameter| {
            matches!(parameter, RefOr::T(p) if p.parameter_in == ParameterIn::Header && p.name == name)
        })
    };
    let (idempotent, conditional) = (header("Idempotency-Key"), header("If-Match"));
    let body = operation.request_body.is_some();
    let authenticated = operation.security.iter().flatten().any(|requirement| {
        serde_json::to_value(requirement).is_ok_and(|value| value.get("bearer").is_some())
    });
    let login = path.starts_with("/api/v1/auth/");
    let mut codes = vec!["429", "500", "503"];
    if path.starts_with("/api/") {
        codes.push("400");
    }
    if authenticated || login {
        codes.extend(["401", "403"]);
    }
    if path.contains('{') {
        codes.push("404");
    }
    if body {
        codes.extend(["408", "413", "415", "422"]);
    }
    if idempotent || conditional || path == "/api/v1/me/phones" || path.ends_with("/audiences/{audience}") {
        codes.push("409");
    }
    if matches!(operation.operation_id.as_deref(), Some("headcount_sample_create" | "legal_glass_open")) {
        codes.push("404");
    }
    if matches!(
        operation.operation_id.as_deref(),
        Some("file_delete" | "report_content_get" | "legal_referral_reveal")
    ) {
        codes.push("409");
    }
    if conditional {
        codes.extend(["412", "428"]);
    }
    if path == "/api/v1/me/phones" {
        codes.push("401");
    }
    for code in codes {
        if !operation.responses.responses.contains_key(code) {
            let reference = Ref::new(format!("#/components/responses/Problem{code}"));
            operation.responses.responses.insert(code.into(), RefOr::Ref(reference));
        }
    }
    details::answer_headers(operation, idempotent, conditional);
}

/// The document as it is committed and served.
pub fn yaml() -> Result<String, String> {
    document().to_yaml().map_err(|error| error.to_string())
}
