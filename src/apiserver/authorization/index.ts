export { AuthorizerChain, SUPERUSER_GROUP, superuserAuthorizer } from './authorizer-chain.ts';
export type { AuthorizationAttributes, Authorizer, Decision } from './authorizer.ts';
export { forbiddenError, forbiddenMessage } from './forbidden.ts';
export { RbacAuthorizer, type RuleResolver, type UserRules } from './rbac-authorizer.ts';
export { type Grant, type Grants, RbacIndex } from './rbac-index.ts';
export { NodeAuthorizer } from './node-authorizer.ts';
export { NodeGraph } from './node-graph.ts';
export { nodeNameOf } from './node-identity.ts';
