/** The API described: OpenAPI v2 and v3 documents of everything that is served. */
export {
  OpenApiDocuments,
  type OpenApiDocumentsOptions,
  openApiV3Index,
  type ServedDocument,
} from './openapi-documents.ts';
export { openApiV2Document, type V2Document } from './openapi-v2.ts';
export {
  OPENAPI_V2_ACCEPTED_TYPE,
  OPENAPI_V2_CONTENT_TYPE,
  openApiV2Protobuf,
} from './openapi-v2-protobuf.ts';
export { documentPath, type GroupVersion, openApiV3Document } from './openapi-v3.ts';
