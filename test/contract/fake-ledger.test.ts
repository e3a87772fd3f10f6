import { fakeLedger } from './fakes/fake-ledger.ts';
import { ledgerContract } from './ledger.contract.ts';

ledgerContract(async () => fakeLedger());
