//! The union tree over HTTP.

use actix_web::get;
use actix_web::web::Data;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::{Organisation, OrganisationKind};
use super::store;
use crate::error::Result;
use crate::ids::OrganisationId;
use crate::platform::Platform;
use crate::platform::http::{ApiPath, ApiQuery, Page, PageQuery, Reply};

/// A node of the union tree.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganisationView {
    /// Its id.
    pub id: OrganisationId,
    /// Stable code.
    #[schema(max_length = 60, example = "street-pinghu")]
    pub code: String,
    /// Full name.
    #[schema(max_length = 120, example = "平湖街道总工会")]
    pub name: String,
    /// Short name.
    #[schema(max_length = 60, example = "平湖")]
    pub short_name: String,
    /// What it is.
    pub kind: OrganisationKind,
    /// The node above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<OrganisationId>,
    /// The sub-district it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub street_id: Option<OrganisationId>,
    /// Nine-digit division code of a sub-district.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 9, example = "440307003")]
    pub division_code: Option<String>,
}

impl From<Organisation> for OrganisationView {
    fn from(row: Organisation) -> Self {
        Self {
            id: row.id,
            code: row.code,
            name: row.name,
            short_name: row.short_name,
            kind: row.kind,
            parent_id: row.parent_id,
            street_id: row.street_id,
            division_code: row.division_code,
        }
    }
}

/// Which nodes.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct OrganisationFilter {
    /// Only this kind.
    #[param(inline)]
    pub kind: Option<OrganisationKind>,
    /// Only those directly under this node.
    #[param(inline)]
    pub parent: Option<OrganisationId>,
    /// Items on a page.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<i64>,
    /// `next` of the page before.
    #[param(max_length = 400)]
    pub cursor: Option<String>,
}

/// List organisations / 列出工会组织
#[utoipa::path(
    tag = "organisation", operation_id = "organisation_list", params(OrganisationFilter), security(()),
    responses((status = 200, description = "A page of organisations", body = Page<OrganisationView>)),
)]
#[get("/api/v1/organisations")]
pub async fn organisation_list(
    platform: Data<Platform>,
    filter: ApiQuery<OrganisationFilter>,
) -> Result<Reply<Page<OrganisationView>>> {
    let filter = filter.0;
    let list = format!("organisations/{:?}/{:?}", filter.kind, filter.parent);
    let query = PageQuery { limit: filter.limit, cursor: filter.cursor };
    let after: Option<String> = platform.cursors.open(&list, &query)?;
    let limit = query.limit() + 1;
    let rows = platform.db.read(move |c| store::list(c, filter.kind, filter.parent, after, limit)).await?;
    let page = platform.cursors.page(&list, &query, rows, |row| row.code.clone())?;
    Ok(Reply::new(page.map(Into::into)).public())
}

/// Read an organisation / 读取工会组织
#[utoipa::path(
    tag = "organisation", operation_id = "organisation_get", security(()),
    params(("id" = OrganisationId, Path, description = "The organisation")),
    responses((status = 200, description = "The organisation", body = OrganisationView)),
)]
#[get("/api/v1/organisations/{id}")]
pub async fn organisation_get(
    platform: Data<Platform>,
    id: ApiPath<OrganisationId>,
) -> Result<Reply<OrganisationView>> {
    let row = platform.db.read(move |c| store::get(c, id.0)).await?;
    let version = row.version;
    Ok(Reply::new(OrganisationView::from(row)).version(version).public())
}
