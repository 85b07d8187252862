/**
 * `resource.k8s.io/v1beta1` and what came after: a request's own fields moved under `exactly`, and a device's from
 * under `basic` to the device.
 */
import { type Fields, mapField, mapList, objectIn } from './fields.ts';

const EXACT_FIELDS = [
  'deviceClassName',
  'selectors',
  'allocationMode',
  'count',
  'adminAccess',
  'tolerations',
  'capacity',
] as const;

function requestFromV1Beta1(request: Fields): Fields {
  const exactly: Record<string, unknown> = {};
  const rest: Record<string, unknown> = { ...request };
  for (const name of EXACT_FIELDS) {
    const value = request[name];
    delete rest[name];
    if (value !== undefined && value !== '') exactly[name] = value;
  }
  return Object.keys(exactly).length === 0 ? rest : { ...rest, exactly };
}

function requestToV1Beta1(request: Fields): Fields {
  const { exactly, ...rest } = request;
  return exactly === undefined ? request : { ...rest, ...objectIn(request, 'exactly') };
}

const inClaim =
  (change: (request: Fields) => Fields) =>
  (claim: Fields): Fields =>
    mapField(claim, 'spec', (spec) =>
      mapField(spec, 'devices', (devices) => mapList(devices, 'requests', change)),
    );

const inTemplate =
  (change: (claim: Fields) => Fields) =>
  (template: Fields): Fields =>
    mapField(template, 'spec', change);

export const claimFromV1Beta1 = inClaim(requestFromV1Beta1);
export const claimToV1Beta1 = inClaim(requestToV1Beta1);
export const claimTemplateFromV1Beta1 = inTemplate(claimFromV1Beta1);
export const claimTemplateToV1Beta1 = inTemplate(claimToV1Beta1);

function deviceFromV1Beta1(device: Fields): Fields {
  const { basic, ...rest } = device;
  return basic === undefined ? device : { ...rest, ...objectIn(device, 'basic') };
}

function deviceToV1Beta1(device: Fields): Fields {
  const { name, ...basic } = device;
  return { name, basic };
}

export function sliceFromV1Beta1(slice: Fields): Fields {
  return mapField(slice, 'spec', (spec) => {
    const { nodeName, allNodes, ...rest } = mapList(spec, 'devices', deviceFromV1Beta1);
    return {
      ...rest,
      ...(nodeName === undefined || nodeName === '' ? {} : { nodeName }),
      ...(allNodes === true ? { allNodes } : {}),
    };
  });
}

export function sliceToV1Beta1(slice: Fields): Fields {
  return mapField(slice, 'spec', (spec) => mapList(spec, 'devices', deviceToV1Beta1));
}
