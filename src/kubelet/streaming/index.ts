/** Protocols of exec, attach and port-forward on an upgraded connection. */
export { type ConnectPort, servePortForward } from './port-forward.ts';
export {
  type RemoteCommandOptions,
  type RemoteCommandStreams,
  serveRemoteCommand,
} from './remote-command.ts';
export type { UpgradeRequest } from './upgrade.ts';
