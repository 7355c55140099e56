// Starts a Bluesky server and the directory of identities it needs, both on 127.0.0.1 alone; says "ready" and waits.
// Arguments: the server's port, the directory's port, a folder for what the server keeps.
import { randomBytes } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import net from 'node:net'
import path from 'node:path'

const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (port, ...rest) {
  // Both servers would listen on every interface and take no setting for it.
  return listen.call(this, port, '127.0.0.1', ...rest.filter((argument) => typeof argument === 'function'))
}

const { PDS } = await import('@atproto/pds')
const { Database, PlcServer } = await import('@did-plc/server')

const [port, plcPort, folder] = process.argv.slice(2)
const nowhere = { url: 'http://127.0.0.1:1', did: 'did:web:nobody.test' }
const secret = () => randomBytes(32).toString('hex')
mkdirSync(path.join(folder, 'blobs'), { recursive: true })

await PlcServer.create({ db: Database.mock(), port: Number(plcPort) }).start()
const pds = await PDS.fromEnv({
  devMode: true,
  hostname: 'localhost',
  port: Number(port),
  dataDirectory: folder,
  blobstoreDiskLocation: path.join(folder, 'blobs'),
  enableDidDocWithSession: true,
  didPlcUrl: `http://localhost:${plcPort}`,
  plcRotationKeyK256PrivateKeyHex: secret(),
  jwtSecret: secret(),
  dpopSecret: secret(),
  adminPassword: secret(),
  serviceHandleDomains: ['.test'],
  inviteRequired: false,
  bskyAppViewUrl: nowhere.url,
  bskyAppViewDid: nowhere.did,
  modServiceUrl: nowhere.url,
  modServiceDid: nowhere.did,
  crawlers: [],
  disableSsrfProtection: true,
})
await pds.start()
console.log('ready')
