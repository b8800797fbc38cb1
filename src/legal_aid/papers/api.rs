//! Documents over HTTP, for the team of a case: listed, printed, and marked as handed over.

use actix_web::http::header;
use actix_web::web::Data;
use actix_web::{HttpResponse, get, post};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::model::{CaseDocument, DeliveryWay, DocumentKind, Paper};
use super::{page, store};
use crate::clock::db_time;
use crate::error::{Code, Error, Fault, Result, Text};
use crate::ids::{CaseDocumentId, CaseId, PersonId};
use crate::legal_aid::team;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::LegalWork;
use crate::platform::audit::{self, Entry};
use crate::platform::db::Conn;
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Idempotent, Page, PageQuery, Reply, Stored};

/// A document of a case.
#[derive(Debug, Serialize, ToSchema)]
pub struct CaseDocumentView {
    /// Its id.
    pub id: CaseDocumentId,
    /// What it says.
    pub kind: DocumentKind,
    /// Its number.
    #[schema(max_length = 100, example = "平湖街道法援受〔2025〕3号")]
    pub number: String,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// Who issued it; nobody where time did, as of a request that lapsed. Not told to the applicant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issued_by: Option<PersonId>,
    /// When it was handed over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivered_at: Option<DateTime<Utc>>,
    /// How.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryWay>,
    /// When the applicant first opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_at: Option<DateTime<Utc>>,
}

impl CaseDocumentView {
    /// As the team sees it.
    pub fn new(row: CaseDocument) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            number: row.number,
            issued_at: row.issued_at.and_utc(),
            issued_by: row.issued_by,
            delivered_at: row.delivered_at.map(|at| at.and_utc()),
            delivery: row.delivery,
            read_at: row.read_at.map(|at| at.and_utc()),
        }
    }

    /// As the applicant sees it.
    pub fn own(row: CaseDocument) -> Self {
        Self { issued_by: None, ..Self::new(row) }
    }
}

/// List the documents of a case, newest first / 列出案件文书
#[utoipa::path(
    tag = "legal", operation_id = "legal_document_list", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"), PageQuery),
    responses((status = 200, description = "A page of documents", body = Page<CaseDocumentView>)),
)]
#[get("/api/v1/legal-cases/{id}/documents")]
pub async fn legal_document_list(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    id: ApiPath<CaseId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CaseDocumentView>>> {
    let (person, now, id) = (guard.person(), platform.clock.now(), id.0);
    let list = format!("legal-documents/{person}/{id}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.write(move |c| {
        team::admitted(c, person, id, now)?;
        let rows = store::list(c, id, before, limit)?;
        let entry = Entry::new(person, "legal_case.read", id).detail(json!({ "what": "documents" }));
        audit::append_in_tx(c, now, vec![entry])?;
        Ok(rows)
    });
    let page = platform.cursors.page(&list, &query.0, rows.await?, |row| row.id)?;
    Ok(Reply::new(page.map(CaseDocumentView::new)))
}

/// Print a document of a case / 打印案件文书
///
/// A page of A4 that is printed or kept as PDF. Audited.
#[utoipa::path(
    tag = "legal", operation_id = "legal_document_get", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("document" = CaseDocumentId, Path, description = "The document")),
    responses((status = 200, description = "The document", body = String, content_type = "text/html")),
)]
#[get("/api/v1/legal-cases/{id}/documents/{document}")]
pub async fn legal_document_get(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    ids: ApiPaths<CaseId, CaseDocumentId>,
) -> Result<HttpResponse> {
    let (person, now, vault, ApiPaths(id, document)) =
        (guard.person(), platform.clock.now(), platform.vault.clone(), ids);
    let paper = platform.db.write(move |c| {
        team::admitted(c, person, id, now)?;
        let row = store::get(c, id, document)?;
        let entry = Entry::new(person, "legal_case.read", id).detail(json!({ "document": document }));
        audit::append_in_tx(c, now, vec![entry])?;
        Paper::open(&vault, &row)
    });
    Ok(sent(&paper.await?))
}

/// How a document was handed over.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"way": "post", "at": "2025-06-16T10:00:00+08:00"}))]
pub struct DocumentDeliveryInput {
    /// How; `online` is what opening it says by itself.
    pub way: DeliveryWay,
    /// When; now, if nothing is said.
    pub at: Option<DateTime<Utc>>,
}

/// Say that a document was handed over / 登记文书送达
///
/// Once: refused with `state_forbids` where that was said already, or the applicant has opened it.
#[utoipa::path(
    tag = "legal", operation_id = "legal_document_deliver", security(("bearer" = ["legal:work"])),
    params(("id" = CaseId, Path, description = "The case"),
           ("document" = CaseDocumentId, Path, description = "The document"),
           ("Idempotency-Key" = String, Header, description = "Names this act for its repetitions", min_length = 8, max_length = 100)),
    request_body = DocumentDeliveryInput,
    responses((status = 200, description = "The document", body = CaseDocumentView)),
)]
#[post("/api/v1/legal-cases/{id}/documents/{document}/deliveries")]
pub async fn legal_document_deliver(
    platform: Data<Platform>,
    guard: Guard<LegalWork>,
    ids: ApiPaths<CaseId, CaseDocumentId>,
    body: Idempotent<DocumentDeliveryInput>,
) -> Result<Stored> {
    let (person, now, ApiPaths(id, document)) = (guard.person(), platform.clock.now(), ids);
    let DocumentDeliveryInput { way, at } = body.body;
    let act = move |c: &mut Conn| {
        team::locked_in_tx(c, person, id, now)?;
        let row = store::get(c, id, document)?;
        let at = delivered(&row, way, at, now)?;
        if !store::deliver_in_tx(c, document, way, Some(person), at)? {
            let told = Error::new(Code::StateForbids);
            return Err(told.detail("该文书已登记送达", "The document has reached the applicant already"));
        }
        let detail = json!({ "case": id, "way": way });
        audit::append_in_tx(
            c,
            now,
            vec![Entry::new(person, "legal_document.deliver", document).detail(detail)],
        )?;
        Stored::done(0, &CaseDocumentView::new(store::get(c, id, document)?))
    };
    platform.idempotency.run(person, body.key, act).await
}

/// When a document was handed over, as far as that can be.
fn delivered(
    row: &CaseDocument,
    way: DeliveryWay,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>> {
    let at = at.unwrap_or(now);
    let mut faults = Vec::new();
    if way == DeliveryWay::Online {
        let text = Text::new("本人打开文书时自动登记", "said by itself when the applicant opens it");
        faults.push(Fault::new("/way", "unexpected", text));
    }
    if db_time(at) < row.issued_at || at > now {
        let text = Text::new("应在出具之后、现在之前", "must lie between the issue and now");
        faults.push(Fault::new("/at", "range", text));
    }
    if faults.is_empty() { Ok(at) } else { Err(Error::invalid(faults)) }
}

/// The answer with the page of a document, which was opened for this caller: nobody keeps it, and it may do nothing.
pub fn sent(paper: &Paper) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, page::policy()))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CONTENT_DISPOSITION, "inline"))
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .body(page::render(paper))
}
