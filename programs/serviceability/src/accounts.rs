//! The accounts of one instruction: taken in order, each checked before it has a type.
//!
//! An [`Account<T>`] exists only for an account that belongs to the program and holds a whole, valid `T`.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
    slice,
};

use borsh::{BorshSerialize, object_length};
use solana_account_info::AccountInfo;
use solana_pubkey::Pubkey;

use crate::{
    error::{Result, ServiceabilityError, ensure},
    host::Host,
    pda::Place,
    rights::{Access, Right},
    state::{AccountData, DecodeError, GlobalConfig, Header},
};

/// The place of the account that an instruction is about: after signer, system program and config.
const SUBJECT: usize = 3;

/// The account is the program's and holds this. Boxed, because a stack frame on the target has 4 KiB.
pub(crate) struct Account<'a, 'info, T> {
    info: &'a AccountInfo<'info>,
    header: Header,
    value: Box<T>,
}

impl<'a, T> Account<'a, '_, T> {
    pub(crate) fn key(&self) -> &'a Pubkey {
        self.info.key
    }
}

impl<T> Deref for Account<'_, '_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Account<'_, '_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// An account as the runtime hands it over.
pub(crate) type Info<'a, 'info> = &'a AccountInfo<'info>;

/// The accounts that are left, and those every instruction has.
pub(crate) struct Accounts<'a, 'info> {
    host: &'a dyn Host,
    program: &'a Pubkey,
    rest: slice::Iter<'a, AccountInfo<'info>>,
    pub(crate) signer: &'a AccountInfo<'info>,
    pub(crate) rights: &'static [Right],
    /// The life of the account that was created last.
    lives: Cell<u64>,
}

impl<'a, 'info> Accounts<'a, 'info> {
    /// Checks the head of the list, that the account it is about is the one that was decided on, and that no account of
    /// the program is given twice: two decoded copies of one account would each lose what the other one changes.
    pub(crate) fn open(
        host: &'a dyn Host,
        program: &'a Pubkey,
        accounts: &'a [AccountInfo<'info>],
        life: u64,
    ) -> Result<Self> {
        let mut rest = accounts.iter();
        let mut next = || rest.next().ok_or(ServiceabilityError::MissingAccount);
        let (signer, system) = (next()?, next()?);
        ensure!(signer.is_signer, MissingSignature);
        ensure!(signer.is_writable, NotWritable);
        ensure!(*system.key == solana_system_interface::program::ID, NotSystemProgram);
        for (index, info) in accounts.iter().enumerate() {
            let again = || accounts[index + 1..].iter().any(|other| other.key == info.key);
            ensure!(info.owner != program || !again(), DuplicateAccount);
        }
        let subject = accounts.get(SUBJECT).filter(|info| info.owner == program && life != 0);
        if let Some(info) = subject {
            let data = info.try_borrow_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
            let (_, header) = Header::read(&data).map_err(|_| ServiceabilityError::MalformedAccount)?;
            ensure!(header.life == life, AnotherLife);
        }
        Ok(Self { host, program, rest, signer, rights: &[], lives: Cell::new(0) })
    }

    pub(crate) fn program(&self) -> &'a Pubkey {
        self.program
    }

    /// The next account, without taking it.
    fn peek(&self) -> Result<&'a AccountInfo<'info>> {
        self.rest.as_slice().first().ok_or(ServiceabilityError::MissingAccount)
    }

    /// The next account.
    pub(crate) fn one(&mut self, access: Access) -> Result<&'a AccountInfo<'info>> {
        let info = self.rest.next().ok_or(ServiceabilityError::MissingAccount)?;
        ensure!(access == Access::Read || info.is_writable, NotWritable);
        Ok(info)
    }

    /// The next account; none when the program stands in its place.
    pub(crate) fn maybe(&mut self, access: Access) -> Result<Option<&'a AccountInfo<'info>>> {
        if self.peek()?.key == self.program {
            self.rest.next();
            return Ok(None);
        }
        self.one(access).map(Some)
    }

    /// All that are left.
    pub(crate) fn many(&mut self, access: Access) -> Result<Vec<&'a AccountInfo<'info>>> {
        let mut all = Vec::with_capacity(self.rest.len());
        while self.rest.len() > 0 {
            all.push(self.one(access)?);
        }
        Ok(all)
    }

    /// No account may be left: one too many is a caller that means something else.
    pub(crate) fn finish(&self) -> Result {
        ensure!(self.rest.len() == 0, TooManyAccounts);
        Ok(())
    }

    fn load_config(&self) -> Result<Account<'a, 'info, GlobalConfig>> {
        self.read(self.peek()?).map_err(|error| match error {
            ServiceabilityError::AccountNotFound => ServiceabilityError::ConfigNotFound,
            other => other,
        })
    }

    /// The life of the account that was created last.
    pub(crate) fn lives(&self) -> u64 {
        self.lives.get()
    }

    fn next_header(&self) -> Result<Header> {
        let life = self.lives.get().checked_add(1).ok_or(ServiceabilityError::CounterOverflow)?;
        self.lives.set(life);
        Ok(Header { life, rent_payer: *self.signer.key })
    }

    pub(crate) fn read<T: AccountData>(&self, info: &'a AccountInfo<'info>) -> Result<Account<'a, 'info, T>> {
        ensure!(self.exists(info)?, AccountNotFound);
        let data = info.try_borrow_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
        let (header, value) = T::decode_with_header(&data).map_err(|error| {
            self.host.log(&format!("{}: {error}", info.key));
            match error {
                DecodeError::WrongType { .. } => ServiceabilityError::WrongAccountType,
                DecodeError::Empty
                | DecodeError::UnknownType(_)
                | DecodeError::Malformed { .. }
                | DecodeError::TrailingBytes { .. } => ServiceabilityError::MalformedAccount,
            }
        })?;
        Ok(Account { info, header, value: Box::new(value) })
    }

    /// True when the program owns such an account, false when there is none; a foreign one is refused.
    pub(crate) fn exists(&self, info: &AccountInfo) -> Result<bool> {
        if info.owner == self.program {
            return Ok(true);
        }
        ensure!(*info.owner == solana_system_interface::program::ID && info.data_is_empty(), ForeignAccount);
        Ok(false)
    }

    /// Creates the account that belongs at this place. The signer pays the rent of all it can ever grow to.
    pub(crate) fn create<T: AccountData>(&self, info: &'a AccountInfo<'info>, place: Place, value: T) -> Result {
        let (address, bump) = place.find(self.program);
        ensure!(*info.key == address, WrongAddress);
        ensure!(info.is_writable, NotWritable);
        ensure!(!self.exists(info)?, AlreadyExists);
        let bytes = encoded_length(&value)?;
        let missing = self.largest_rent(&value)?.saturating_sub(info.lamports());
        self.check_signer_has(missing)?;
        let created = place.with_seeds(|seeds| {
            let mut signed = Vec::with_capacity(seeds.len() + 1);
            signed.extend_from_slice(seeds);
            let bump = [bump];
            signed.push(&bump);
            // Lamports that somebody has sent to the address must not stop its creation.
            if info.lamports() == 0 {
                return self.host.create(self.signer, info, missing, bytes, self.program, &signed);
            }
            if missing > 0 {
                self.host.transfer(self.signer, info, missing)?;
            }
            self.host.allocate(info, bytes, self.program, &signed)
        });
        created.map_err(|_| ServiceabilityError::RuntimeRefused)?;
        write(info, &self.next_header()?, &value)
    }

    /// Ends the life of an account and starts the next one at its address: the rent of the old one goes back, the signer
    /// pays that of the new one.
    pub(crate) fn replace<T: AccountData>(
        &self,
        old: Account<'a, 'info, T>,
        old_payer: &'a AccountInfo<'info>,
        value: T,
    ) -> Result {
        let info = old.info;
        let (back, rent) = (info.lamports(), self.largest_rent(&value)?);
        ensure!(*old_payer.key == old.header.rent_payer, WrongRentRecipient);
        ensure!(old_payer.is_writable && info.is_writable, NotWritable);
        self.check_signer_has(rent)?;
        self.host.transfer(self.signer, info, rent).map_err(|_| ServiceabilityError::RuntimeRefused)?;
        move_lamports(info, old_payer, back)?;
        info.resize(encoded_length(&value)?).map_err(|_| ServiceabilityError::RuntimeRefused)?;
        write(info, &self.next_header()?, &value)
    }

    /// Puts a changed value back. Its rent was paid when it was created.
    pub(crate) fn save<T: AccountData>(&self, account: &Account<'a, 'info, T>) -> Result {
        let Account { info, header, value } = account;
        ensure!(info.is_writable, NotWritable);
        let bytes = encoded_length(&**value)?;
        if bytes != info.data_len() {
            ensure!(self.host.minimum_balance(bytes) <= info.lamports(), RuntimeRefused);
            info.resize(bytes).map_err(|_| ServiceabilityError::RuntimeRefused)?;
        }
        write(info, header, &**value)
    }

    /// Ends an account; its rent goes back to the key that paid it.
    pub(crate) fn close<T>(&self, account: Account<'a, 'info, T>, payer: &AccountInfo) -> Result {
        let info = account.info;
        ensure!(*payer.key == account.header.rent_payer, WrongRentRecipient);
        ensure!(info.is_writable && payer.is_writable, NotWritable);
        info.resize(0).map_err(|_| ServiceabilityError::RuntimeRefused)?;
        move_lamports(info, payer, info.lamports())?;
        info.assign(&solana_system_interface::program::ID);
        Ok(())
    }

    /// The rent of all that an account can ever grow to.
    fn largest_rent<T: AccountData>(&self, value: &T) -> Result<u64> {
        Ok(self.host.minimum_balance(encoded_length(value)? + value.growth()))
    }

    /// Asked here, because a failing call into the system program would end the transaction with its code, not ours.
    fn check_signer_has(&self, lamports: u64) -> Result {
        ensure!(self.signer.lamports() >= lamports, PayerTooPoor);
        Ok(())
    }
}

fn move_lamports(from: &AccountInfo, to: &AccountInfo, lamports: u64) -> Result {
    let mut from = from.try_borrow_mut_lamports().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    let mut to = to.try_borrow_mut_lamports().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    **to = to.checked_add(lamports).ok_or(ServiceabilityError::CounterOverflow)?;
    **from = from.checked_sub(lamports).ok_or(ServiceabilityError::CounterOverflow)?;
    Ok(())
}

fn encoded_length<T: AccountData>(value: &T) -> Result<usize> {
    object_length(value).map(|body| Header::END + body).map_err(|_| ServiceabilityError::RuntimeRefused)
}

/// Encodes in place: the target's allocator frees nothing, so a copy of a large pool would not fit.
fn write<T: AccountData>(info: &AccountInfo, header: &Header, value: &T) -> Result {
    let mut data = info.try_borrow_mut_data().map_err(|_| ServiceabilityError::DuplicateAccount)?;
    let (tag, mut body) = data.split_first_mut().ok_or(ServiceabilityError::RuntimeRefused)?;
    *tag = T::TYPE as u8;
    header.serialize(&mut body).map_err(|_| ServiceabilityError::RuntimeRefused)?;
    value.serialize(&mut body).map_err(|_| ServiceabilityError::RuntimeRefused)
}

/// The accounts of an instruction of an initialised network.
pub(crate) struct Context<'a, 'info> {
    accounts: Accounts<'a, 'info>,
    pub(crate) config: Account<'a, 'info, GlobalConfig>,
}

impl<'a, 'info> Context<'a, 'info> {
    pub(crate) fn new(accounts: Accounts<'a, 'info>) -> Result<Self> {
        let config = accounts.load_config()?;
        accounts.lives.set(config.lives);
        Ok(Self { config, accounts })
    }

    /// Puts a changed config back.
    pub(crate) fn save_config(&mut self) -> Result {
        self.config.lives = self.accounts.lives();
        self.save(&self.config)
    }

    /// Puts the config back if accounts were created that it does not know of yet.
    pub(crate) fn count_lives(&mut self) -> Result {
        if self.config.lives == self.accounts.lives() { Ok(()) } else { self.save_config() }
    }

    /// The accounts, for a list to take.
    pub(crate) fn accounts(&mut self) -> &mut Accounts<'a, 'info> {
        &mut self.accounts
    }
}

impl<'a, 'info> Deref for Context<'a, 'info> {
    type Target = Accounts<'a, 'info>;

    fn deref(&self) -> &Self::Target {
        &self.accounts
    }
}

impl DerefMut for Context<'_, '_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.accounts
    }
}
