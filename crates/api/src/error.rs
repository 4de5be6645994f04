//! Errors on the wire.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use nestbox_model::{Error, ErrorBody};

/// An engine error as a response: its kind's status and `{"error": …}`.
pub(crate) struct ApiError(pub Error);

impl From<Error> for ApiError {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.0.kind.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, Json(ErrorBody { error: self.0 })).into_response()
    }
}

/// What every JSON handler returns.
pub(crate) type Answer<T> = Result<Json<T>, ApiError>;

pub(crate) fn answer<T>(result: nestbox_model::Result<T>) -> Answer<T> {
    result.map(Json).map_err(ApiError)
}
