import { engineFixture, whyNoContainers } from './engine.fixture.ts';
import { runtimeContract } from '#cri/contract';

const stubborn = ['sh', '-c', 'trap "" TERM; while :; do sleep 3600; done'];

runtimeContract(
  'engine',
  async () => {
    const fixture = await engineFixture();
    return {
      runtime: fixture.engine.runtime,
      images: fixture.engine.images,
      image: 'k8ts.local/base:latest',
      missingImage: 'k8ts.local/no-such-image:1',
      commands: {
        forever: ['sleep', '3600'],
        stubborn,
        exit: (code) => ['sh', '-c', `exit ${code}`],
      },
      hasNetwork: false,
      sandboxConfig: (name) => fixture.sandboxConfig(name),
      // A first process may be asked to end before it has said what to do on SIGTERM; the kernel then drops the signal.
      containerConfig: (name, command) =>
        fixture.containerConfig(name, command, { stopSignal: command === stubborn ? 'SIGTERM' : 'SIGKILL' }),
      ended: (id) => fixture.ended(id),
      whileTimePasses: (work) => work,
      dispose: () => fixture.dispose(),
    };
  },
  { skip: whyNoContainers() },
);
