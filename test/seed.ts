import fc from 'fast-check';

// Property tests draw the same cases in every run, so that a failure is a change's; LA_OOD_SEED draws others.
fc.configureGlobal({ seed: Number(process.env.LA_OOD_SEED ?? 1) });
