//! One's own documents: listed and opened. Opening one says that it was read.

use actix_web::web::Data;
use actix_web::{HttpResponse, get};
use serde_json::json;

use super::api::{CaseDocumentView, sent};
use super::model::Paper;
use super::store;
use crate::error::Result;
use crate::ids::{CaseDocumentId, CaseId};
use crate::legal_aid::own;
use crate::platform::Platform;
use crate::platform::access::Guard;
use crate::platform::access::policy::OwnData;
use crate::platform::audit::{self, Entry};
use crate::platform::http::{ApiPath, ApiPaths, ApiQuery, Page, PageQuery, Reply};

/// List the documents of a request of one's own, newest first / 我的法律援助文书
#[utoipa::path(
    tag = "me", operation_id = "my_legal_document_list", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"), PageQuery),
    responses((status = 200, description = "A page of documents", body = Page<CaseDocumentView>)),
)]
#[get("/api/v1/me/legal-requests/{id}/documents")]
pub async fn my_legal_document_list(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    id: ApiPath<CaseId>,
    query: ApiQuery<PageQuery>,
) -> Result<Reply<Page<CaseDocumentView>>> {
    let (person, id) = (guard.person(), id.0);
    let list = format!("my-legal-documents/{person}/{id}");
    let before = platform.cursors.open(&list, &query.0)?;
    let limit = query.0.limit() + 1;
    let rows = platform.db.read(move |c| {
        own::get(c, person, id)?;
        store::list(c, id, before, limit)
    });
    let page = platform.cursors.page(&list, &query.0, rows.await?, |row| row.id)?;
    Ok(Reply::new(page.map(CaseDocumentView::own)))
}

/// Open a document of one's own / 打开法律援助文书
///
/// A page that is read on a telephone or printed on A4. The first time is noted: the document has then reached its addressee.
#[utoipa::path(
    tag = "me", operation_id = "my_legal_document_get", security(("bearer" = ["self"])),
    params(("id" = CaseId, Path, description = "The request"),
           ("document" = CaseDocumentId, Path, description = "The document")),
    responses((status = 200, description = "The document", body = String, content_type = "text/html")),
)]
#[get("/api/v1/me/legal-requests/{id}/documents/{document}")]
pub async fn my_legal_document_get(
    platform: Data<Platform>,
    guard: Guard<OwnData>,
    ids: ApiPaths<CaseId, CaseDocumentId>,
) -> Result<HttpResponse> {
    let (person, now, vault, ApiPaths(id, document)) =
        (guard.person(), platform.clock.now(), platform.vault.clone(), ids);
    let paper = platform.db.write(move |c| {
        own::get(c, person, id)?;
        let row = store::get(c, id, document)?;
        if store::read_in_tx(c, document, now)? {
            // Whose it is says the document; whoever reads the audit is not told that this person has a case.
            let detail = json!({ "case": id, "by": "applicant" });
            let entry = Entry::system("legal_document.receive", document).detail(detail);
            audit::append_in_tx(c, now, vec![entry])?;
        }
        Paper::open(&vault, &row)
    });
    Ok(sent(&paper.await?))
}
