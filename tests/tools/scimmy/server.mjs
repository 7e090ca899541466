// A SCIM 2.0 server to test against: SCIMMY's express router (https://scimmyjs.github.io) over a store in memory.
// The protocol is SCIMMY's: parsing, schemas, filters, sorting, paging, PATCH, bulk, error answers. This file is
// only the store, and what SCIMMY leaves to one: ids, unique names, existing members, times, `groups` of a user.
//
//   node server.mjs [--host 127.0.0.1] [--port 0] [--token TOKEN]
//
// or SCIMMY_HOST, SCIMMY_PORT, SCIMMY_TOKEN. Port 0 is any free one; the line printed once it listens names it:
//   Serving SCIM on http://127.0.0.1:41234/scim/v2
// Without a token every request is accepted.

import {randomUUID} from "node:crypto";
import {parseArgs} from "node:util";
import express from "express";
import SCIMMY from "scimmy";
import SCIMMYRouters from "scimmy-routers";

const {values: args} = parseArgs({
    options: {
        host: {type: "string", default: process.env.SCIMMY_HOST ?? "127.0.0.1"},
        port: {type: "string", default: process.env.SCIMMY_PORT ?? "0"},
        token: {type: "string", default: process.env.SCIMMY_TOKEN}
    }
});

const users = new Map();
const groups = new Map();

const missing = (id) => new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
const link = (group) => ({value: group.id, display: group.displayName});
const groupsOf = (id) => [...groups.values()].filter(g => g.members?.some(m => m.value === id)).map(link);

// Stores a created, replaced or patched resource, as plain data.
function save(store, id, body, uniqueName) {
    const stored = store.get(id);
    if (id && !stored) throw missing(id);
    const data = JSON.parse(JSON.stringify(body));
    const name = data[uniqueName]?.toLowerCase();
    for (const other of store.values()) {
        if (other.id !== id && other[uniqueName].toLowerCase() === name) {
            throw new SCIMMY.Types.Error(409, "uniqueness", `${uniqueName} '${data[uniqueName]}' is already in use`);
        }
    }
    const now = new Date().toISOString();
    data.id = id ?? randomUUID();
    data.meta = {created: stored?.meta.created ?? now, lastModified: now};
    store.set(data.id, data);
    return data;
}

// One resource by id, or all that the filter matches; SCIMMY sorts and pages the answer itself.
function load(store, {id, filter}, view = (resource) => resource) {
    if (id && !store.has(id)) throw missing(id);
    if (id) return view(store.get(id));
    const all = [...store.values()].map(view);
    return filter ? filter.match(all) : all;
}

// Deletes, and takes the deleted one out of every group.
function drop(store, {id}) {
    if (!store.delete(id)) throw missing(id);
    for (const group of groups.values()) group.members = group.members?.filter(m => m.value !== id);
}

const viewUser = (user) => ({...user, groups: groupsOf(user.id)});

SCIMMY.Resources.declare(SCIMMY.Resources.User, {
    extensions: [{schema: SCIMMY.Schemas.EnterpriseUser, required: false}],
    ingress: ({id}, data) => viewUser(save(users, id, data, "userName")),
    egress: (resource) => load(users, resource, viewUser),
    degress: (resource) => drop(users, resource)
}).declare(SCIMMY.Resources.Group, {
    ingress: ({id}, data) => {
        for (const {value} of data.members ?? []) {
            if (!users.has(value) && !groups.has(value)) {
                throw new SCIMMY.Types.Error(400, "invalidValue", `Member '${value}' does not exist`);
            }
        }
        return save(groups, id, data, "displayName");
    },
    egress: (resource) => load(groups, resource),
    degress: (resource) => drop(groups, resource)
});

const app = express();
app.disable("x-powered-by");
app.use("/scim/v2", new SCIMMYRouters({
    type: "bearer",
    baseUri: (request) => `http://${request.headers.host}`,
    handler: (request) => {
        if (args.token && request.header("Authorization") !== `Bearer ${args.token}`) {
            throw new Error("Missing or wrong bearer token");
        }
    }
}));

const server = app.listen(Number(args.port), args.host, () => {
    console.log(`Serving SCIM on http://${args.host}:${server.address().port}/scim/v2`);
});
